/* config.json. What is accepted lists its parameters, and is written as a config that is accepted again. */
#include "target.h"

#include "base/mem.h"
#include "models/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    reel_json *json = NULL;
    reel_config config, again;
    const reel_arch *arch = NULL;
    reel_params params = {0};
    reel_error err = {0};
    if (size > REEL_JSON_LIMIT || reel_json_parse((const char *)data, size, "config.json", false, &json, &err) != REEL_OK)
        return 0;
    if (reel_config_parse(json, "config.json", &config, &arch, &err) != REEL_OK) {
        HOLDS(config.json == NULL && err.message[0] != '\0');
        return 0;
    }
    if (config.layers <= 100 && arch->params_list(&config, &params, &err) == REEL_OK)
        HOLDS(params.n > 0 && arch->flops(&config) > 0);
    reel_params_free(&params);
    char *text = reel_config_text(&config, arch, NULL);
    HOLDS(text != NULL && reel_json_parse(text, strlen(text), "config.json", false, &json, &err) == REEL_OK);
    HOLDS(reel_config_parse(json, "config.json", &again, &arch, &err) == REEL_OK);
    HOLDS(again.labels == config.labels && again.hidden == config.hidden && again.tokens == config.tokens);
    reel_config_free(&again);
    reel_config_free(&config);
    reel_free(text);
    return 0;
}
