/* What the tests of the root share: a runner with a root of its own, and a host that may mount.
 *
 * Include after poke.h. A file that uses it ends with `return root_main(argc, argv, tests, COUNT(tests));`. */

#ifndef ROOT_H
#define ROOT_H

#include <grp.h>

/* The directory that the tests' roots are mounted over. */
static char pivot_dir[64];

/* A runner for poke, at /poke, in a root of its own. That bind is piece 0. */
TAP_HELPER runner_t *rooted(uint64_t flags) {
    runner_t *runner = poke("pid");
    runner_set_unshare_flags(runner, CLONE_NEWNS | userns_if_needed() | flags);
    runner_set_pivot_root(runner, pivot_dir);
    runner_add_bind(runner, poke_path(), "/poke", RUNNER_BIND_RO);
    return runner;
}
#define inside(runner, ...) expect_at((runner), "/poke", __VA_ARGS__)

/* What one op prints inside, without its last '\n'; "" where the program did not run. */
TAP_HELPER const char *answer_inside(runner_t *runner, const char *op) {
    static char output[1 << 16];
    set_pokes(runner, "/poke", &(struct poke){op, NULL}, 1);
    ok(exited(run_output(runner, output, sizeof output), 0), "poke \"%s\" runs", op);
    size_t len = strlen(output);
    if (len > 0 && output[len - 1] == '\n')
        output[len - 1] = '\0';
    return output;
}

/* Starts with what `runner` has, and checks the failure. */
#define ok_refused(runner, stage, index, err) ok_failed(run(runner), (stage), (index), (err))

TAP_HELPER bool write_text(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return good;
}

/* For the child of in_child(): a mount namespace in which it may mount, whoever it was, and nothing gets out of.
 * An ordinary user gets there by a user namespace of his own, in which he is root. */
TAP_HELPER bool become_mounter(void) {
    char map[64];
    uid_t uid = geteuid();
    gid_t gid = getegid();
    if (unshare(CLONE_NEWNS | (uid == 0 ? 0 : CLONE_NEWUSER)) != 0)
        return ok(false, "a mount namespace for the test");
    if (uid != 0) {
        write_text("/proc/self/setgroups", "deny");
        snprintf(map, sizeof map, "0 %u 1", uid);
        bool good = write_text("/proc/self/uid_map", map);
        snprintf(map, sizeof map, "0 %u 1", gid);
        if (!ok(good && write_text("/proc/self/gid_map", map), "the test is root in its user namespace"))
            return false;
    }
    return ok(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "private mounts");
}

/* An ordinary user cannot do anything here without user namespaces: then all is skipped, with the reason. */
TAP_HELPER int root_main(int argc, char **argv, const struct test *tests, size_t n) {
    if (!is_root() && !have_userns()) {
        printf("1..0 # SKIP no user namespaces for this user\n");
        return 0;
    }
    snprintf(pivot_dir, sizeof pivot_dir, "%s", scratch_dir());
    int result = tap_main(argc, argv, tests, n, NULL, 0);
    if (rmdir(pivot_dir) != 0) {
        printf("Bail out! something was left in %s\n", pivot_dir);
        result = 1;
    }
    return result;
}

#endif
