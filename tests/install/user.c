/* A program of somebody else's: built against the installed headers and library alone. */
#include <stdio.h>

#include <reel/reel.h>

int main(int argc, char **argv)
{
    reel_context *ctx = NULL;
    reel_model *model = NULL;
    reel_run *run = NULL;
    reel_error err = {0};
    static float pixels[4 * 3 * 16 * 16], logits[3];
    int code = 1;
    if (argc == 2 && reel_context_open(&ctx, &err) == REEL_OK && reel_model_open(ctx, argv[1], &model, &err) == REEL_OK &&
        reel_run_open(model, 1, &run, &err) == REEL_OK &&
        reel_run_forward(run, pixels, 1, logits, NULL, &err) == REEL_OK) {
        printf("%s %g %g %g\n", reel_version(), (double)logits[0], (double)logits[1], (double)logits[2]);
        code = 0;
    } else
        fprintf(stderr, "%s\n", err.message);
    reel_run_close(&run);
    reel_model_close(&model);
    reel_context_close(&ctx);
    return code;
}
