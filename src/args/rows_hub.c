/* The options of the verbs that talk to the Hub. */
#include "args/rows.h"

/* These have none of their own. */
const reel_job_table reel_table_hub_login = {.verb = "hub login", .struct_size = 1, .needs = ""}, reel_table_hub_logout = {.verb = "hub logout", .struct_size = 1, .needs = ""},
                     reel_table_hub_whoami = {.verb = "hub whoami", .struct_size = 1, .needs = ""};

#define ROW_TYPE ROW_CHOICE(repo_type, GROUP_HUB, "model|dataset|space", "model", "what kind of repository it is")

#define ROW_STRUCT reel_hub_download_args
static const reel_option rows_hub_download[] = {
    ROW_TYPE,
    ROW_STRING(revision, GROUP_HUB, "main", "branch, tag or commit"),
    ROW_LIST(include, GROUP_HUB, "files like this only; may be repeated"),
    ROW_LIST(exclude, GROUP_HUB, "files like this not; may be repeated"),
    ROW_BOOL(force_download, GROUP_HUB, "false", "also what is there already"),
    ROW_STRING(local_dir, GROUP_RESULT, "", "folder for them; none: the cache"),
    ROW_INT(max_workers, GROUP_MACHINE, 1, 16, "4", "files", "fetched side by side"),
};
JOB_TABLE(hub_download, "hub download", "", NULL, NULL);
#undef ROW_STRUCT

#define ROW_STRUCT reel_hub_upload_args
static const reel_option rows_hub_upload[] = {
    ROW_TYPE,
    ROW_STRING(revision, GROUP_HUB, "main", "branch that gets the commit"),
    { "private", REEL_OPTION_BOOL, GROUP_HUB, 0, 1, "false", NULL, "", "a repository that is made is private", offsetof(ROW_STRUCT, private_repo) },
    ROW_STRING(commit_message, GROUP_HUB, "Upload with reel", "first line of the commit"),
    ROW_STRING(commit_description, GROUP_HUB, "", "what stands below it"),
    ROW_LIST(include, GROUP_HUB, "files like this only; may be repeated"),
    ROW_LIST(exclude, GROUP_HUB, "files like this not; may be repeated"),
    ROW_BOOL(create_pr, GROUP_HUB, "false", "as a pull request"),
    ROW_BOOL(force, GROUP_HUB, "false", "also files that look like secrets"),
};
JOB_TABLE(hub_upload, "hub upload", "", NULL, NULL);
