/* What the tests of attacks share: tables of what the hostile program hostile.c tries against what comes of it,
 * from the host's tree or from inside a root. Every case has its control: the same attack, which succeeds where
 * the defence is off. Include after tap.h. */

#ifndef ATTACK_H
#define ATTACK_H

#include "poke.h"
#include "root.h"

/* hostile.static: -DHOSTILE="\"/path\"", else it lies beside this binary. */
TAP_HELPER const char *hostile_path(void) {
#ifdef HOSTILE
    return HOSTILE;
#else
    static char path[PATH_MAX + 16];
    const char *slash = strrchr(self_path(), '/');
    snprintf(path, sizeof path, "%.*s/hostile.static", slash ? (int)(slash - self_path()) : 0, self_path());
    return path;
#endif
}

/* A runner for it, with nothing but the library's defaults. */
TAP_HELPER runner_t *hostile(void) {
    return tap_guest_(hostile_path(), NULL, (const char *)NULL);
}

/* attacks(runner, {"clock", "EPERM"}, {"userns", "got"}): from the host's tree, or at /hostile in a root. */
#define attacks(runner, ...) expect_at((runner), hostile_path(), __VA_ARGS__)
#define attacks_inside(runner, ...) expect_at((runner), "/hostile", __VA_ARGS__)

/* A runner for it in a root of its own, at /hostile, with these namespaces beside those that a root needs. */
TAP_HELPER runner_t *hostile_in_root(uint64_t flags) {
    runner_t *runner = rooted(flags);
    runner_add_bind(runner, hostile_path(), "/hostile", RUNNER_BIND_RO);
    return runner;
}

/* An attack with its words; valid for 15 more calls. */
TAP_HELPER TAP_PRINTF(1, 2) const char *op(const char *format, ...) {
    static _Thread_local char texts[16][PATH_MAX];
    static _Thread_local unsigned next;
    char *text = texts[next++ % COUNT(texts)];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof texts[0], format, args);
    va_end(args);
    return text;
}

/* One attack by a program that has also these fds of the host, from 3 on. The line that it prints. */
TAP_HELPER const char *answer_with(const runner_t *runner, const char *program, const char *attack, const int *fds,
                                   size_t n) {
    static char output[4096];
    int ends[2], null = open("/dev/null", O_RDWR | O_CLOEXEC), files[16] = {null};
    runner_t *copy = runner_clone(runner);
    ok_int(pipe2(ends, O_CLOEXEC), 0, "a pipe");
    files[1] = files[2] = ends[1];
    for (size_t i = 0; i < n && i < COUNT(files) - 3; i++)
        files[i + 3] = fds[i];
    set_pokes(copy, program, &(struct poke){attack, NULL}, 1);
    runner_set_files(copy, files, 3 + n);
    pid_t pid = start(copy);
    ok(pid > 0, "\"%s\" starts", attack);
    runner_free(copy);
    close(ends[1]);
    close(null);
    if (!read_all(ends[0], output, sizeof output) && pid > 0)
        kill(pid, SIGKILL);
    close(ends[0]);
    if (pid > 0)
        child_status(pid);
    output[strcspn(output, "\n")] = '\0';
    return output;
}

/* What comes of an attack that meets the rights of root, where root starts it. */
TAP_HELPER const char *as_root_else(const char *root, const char *user) {
    return is_root() ? root : user;
}

#endif
