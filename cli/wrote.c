/* The answer of the verbs that write one thing. */
#include "cli.h"

void cli_wrote(cli *c, const char *path, const char *what)
{
    char shown[CLI_TEXT];
    cli_json j = { .out = stdout };
    if (!c->json) {
        printf("wrote    %s  %s\n", cli_show(shown, path), what);
        return;
    }
    cli_json_open(&j, NULL, '{');
    cli_json_string(&j, "output", path);
    cli_json_close(&j, '}');
    cli_json_end(&j);
}
