/* Tries one start and prints what the library says: the messages that docs/containers.md quotes come out of this.
 *
 *   start WORD...
 *
 * user pid mount net ipc uts cgroup time   new namespaces
 * root, proc, loopback                     a root of its own, /proc in it, `lo` up
 * fixed-addresses, keyring                 no address randomisation, a session keyring of its own
 * map=INSIDE:OUTSIDE, credential=ID        who the program is
 * cgroup-root=PATH                         where the cgroups of the run are made
 *
 * Prints "started" or the error, then what the run had to do without and why, then "the host goes on": this process
 * is still whole, and starts something that asks for nothing. */

#define _GNU_SOURCE
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>

#include "runner.h"

static const struct {
    const char *word;
    uint64_t flag;
} namespaces[] = {
    {"user", CLONE_NEWUSER}, {"pid", CLONE_NEWPID}, {"mount", CLONE_NEWNS},       {"net", CLONE_NEWNET},
    {"ipc", CLONE_NEWIPC},   {"uts", CLONE_NEWUTS}, {"cgroup", CLONE_NEWCGROUP}, {"time", 0x80},
};

static int add_namespace(uint64_t *flags, const char *word)
{
    for (size_t i = 0; i < sizeof namespaces / sizeof *namespaces; i++)
        if (strcmp(word, namespaces[i].word) == 0) {
            *flags |= namespaces[i].flag;
            return 1;
        }
    return 0;
}

/* The host's programs, in a new root over a directory that nothing here is in. */
static int add_root(runner_t *runner)
{
    static const char *const links[] = {"bin", "lib", "lib64"};
    int error = runner_set_pivot_root(runner, "/tmp") | runner_add_bind(runner, "/usr", "/usr",
                                                                       RUNNER_BIND_RO | RUNNER_BIND_REC);
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        char to[16], at[16];
        snprintf(to, sizeof to, "usr/%s", links[i]);
        snprintf(at, sizeof at, "/%s", links[i]);
        error |= runner_add_symlink(runner, to, at);
    }
    return error;
}

static int add_ids(runner_t *runner, const char *word)
{
    unsigned inside, outside;
    if (sscanf(word, "map=%u:%u", &inside, &outside) == 2)
        return runner_add_uid_mapping(runner, inside, outside, 1) |
               runner_add_gid_mapping(runner, inside, outside, 1);
    if (sscanf(word, "credential=%u", &inside) == 1)
        return runner_set_credential(runner, inside, inside, NULL, 0);
    return -1;
}

static int add_word(runner_t *runner, uint64_t *flags, const char *word)
{
    if (add_namespace(flags, word))
        return 0;
    if (strcmp(word, "root") == 0)
        return add_root(runner);
    if (strcmp(word, "proc") == 0)
        return runner_add_proc(runner, "/proc", 0);
    if (strcmp(word, "loopback") == 0)
        return runner_set_loopback_up(runner, true);
    if (strcmp(word, "fixed-addresses") == 0)
        return runner_set_personality(runner, ADDR_NO_RANDOMIZE);
    if (strcmp(word, "keyring") == 0)
        return runner_set_new_session_keyring(runner, true);
    if (strncmp(word, "cgroup-root=", 12) == 0)
        return runner_set_cgroup_root(runner, word + 12);
    return add_ids(runner, word);
}

/* A run that ends by itself; 0 where it did. */
static int try_run(const runner_t *runner)
{
    runner_result_t result = RUNNER_RESULT_INIT;
    runner_error_t error = RUNNER_ERROR_INIT;
    char line[512];
    int code = runner_run(runner, &result, &error);
    runner_error_format(&error, line, sizeof line);
    puts(code == 0 ? "started" : line);
    if (code == 0 && *result.reason) {
        for (uint32_t bit = 1; bit <= RUNNER_MISSING_TREE; bit <<= 1)
            if (result.missing & bit)
                printf("missing: %s\n", runner_missing_name(bit));
        printf("reason: %s\n", result.reason);
    }
    return code != 0 || result.exit_code != 0;
}

int main(int argc, char **argv)
{
    static const char *const program[] = {"/bin/true", NULL};
    runner_t *runner = runner_new(), *plain = runner_new();
    uint64_t flags = 0;
    int error = runner_set_args(runner, program) | runner_set_args(plain, program);
    for (int i = 1; i < argc && error == 0; i++)
        if ((error = add_word(runner, &flags, argv[i])) != 0)
            fprintf(stderr, "start: what is %s?\n", argv[i]);
    if (error != 0 || runner_set_unshare_flags(runner, flags) != 0)
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    int failed = try_run(runner);
    runner_error_t broken = RUNNER_ERROR_INIT;
    if (runner_run(plain, NULL, &broken) == 0)
        puts("the host goes on");
    else
        printf("the host goes on, but starts nothing: %s\n", broken.message);
    runner_free(runner);
    runner_free(plain);
    return failed;
}
