/* A processor's JSON for a model of 16x16 pixels. What is accepted is written as a processor that is accepted again. */
#include "target.h"

#include "base/json.h"
#include "base/mem.h"
#include "transforms/processor.h"

static bool parse(const char *text, size_t n, reel_processor *out)
{
    reel_json *json = NULL;
    reel_error err = {0};
    if (reel_json_parse(text, n, "preprocessor_config.json", false, &json, &err) != REEL_OK)
        return false;
    bool good = reel_processor_parse(json, REEL_PROCESSOR_IMAGE_FILE, "preprocessor_config.json", "videomae", 16, 16, out, &err) == REEL_OK;
    HOLDS(good || err.message[0] != '\0');
    reel_json_free(json);
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    reel_processor p, again;
    if (size > REEL_JSON_LIMIT || !parse((const char *)data, size, &p))
        return 0;
    for (int c = 0; c < 3; c++)
        HOLDS(!p.do_normalize || p.std[c] != 0);
    char *text = reel_processor_text(&p);
    HOLDS(text != NULL && parse(text, strlen(text), &again));
    reel_processor_free(&again);
    reel_processor_free(&p);
    reel_free(text);
    return 0;
}
