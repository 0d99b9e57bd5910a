/* The verbs, in the order of the overview. */
#include "cli.h"

#include <string.h>

const cli_verb *const cli_verbs[] = {
    &cli_verb_train, &cli_verb_evaluate, &cli_verb_preview, &cli_verb_data_info, &cli_verb_data_synth, &cli_verb_data_pack,
    &cli_verb_model_info, &cli_verb_model_new, &cli_verb_model_convert, &cli_verb_bench, &cli_verb_predict, &cli_verb_forward,
    &cli_verb_hub_login, &cli_verb_hub_logout, &cli_verb_hub_whoami, &cli_verb_hub_download, &cli_verb_hub_upload,
    NULL,
};

const cli_verb *cli_verb_find(const char *first, const char *second, int *words)
{
    for (size_t i = 0; cli_verbs[i] != NULL; i++) {
        const char *name = cli_verbs[i]->name, *blank = strchr(name, ' ');
        if (blank == NULL && strcmp(name, first) == 0)
            return *words = 1, cli_verbs[i];
        if (blank != NULL && second != NULL && strlen(first) == (size_t)(blank - name)
            && strncmp(name, first, strlen(first)) == 0 && strcmp(blank + 1, second) == 0)
            return *words = 2, cli_verbs[i];
    }
    return NULL;
}

bool cli_verb_family(const char *first, FILE *list)
{
    const size_t n = strlen(first);
    bool found = false;
    for (size_t i = 0; cli_verbs[i] != NULL; i++) {
        if (strncmp(cli_verbs[i]->name, first, n) != 0 || cli_verbs[i]->name[n] != ' ')
            continue;
        found = true;
        if (list != NULL)
            fprintf(list, "  reel %-12s %s\n", cli_verbs[i]->name, cli_verbs[i]->line);
    }
    return found;
}

const char *cli_verb_near(const char *first, const char *second)
{
    char whole[128], head[64];
    const char *near = NULL;
    size_t least = 3;  /* two slips at most */
    snprintf(whole, sizeof whole, "%s %s", first, second != NULL ? second : "");
    for (size_t i = 0; cli_verbs[i] != NULL; i++) {
        const char *name = cli_verbs[i]->name, *blank = strchr(name, ' ');
        snprintf(head, sizeof head, "%.*s", (int)strcspn(name, " "), name);
        const bool both = blank != NULL && second != NULL && second[0] != '-';
        const size_t d = both ? cli_distance(whole, name) : cli_distance(first, head);
        if (d < least && d < strlen(head)) {
            least = d;
            near = name;
        }
    }
    return near;
}
