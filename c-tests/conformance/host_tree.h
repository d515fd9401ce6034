/* What the suites of command-line sandboxes begin most of their cases with: the host's own tree as the root. Here a
 * root is always made of pieces (see "a bind of / on / is refused" in bubblewrap.c), so each entry of the host's /
 * is one. Include after root.h. */

#ifndef HOST_TREE_H
#define HOST_TREE_H

#include <sys/prctl.h>

/* poke by its fd: what a case puts over /tmp, say, may cover the place where this was built. From the beginning, since
 * open fds are counted. */
static int poke_fd = -1;

__attribute__((constructor)) static void open_poke(void) { poke_fd = open(poke_path(), O_PATH | O_CLOEXEC); }

/* The entry `name` of the host's / at the same place inside. */
TAP_HELPER void add_host_entry(runner_t *runner, const char *name, uint32_t flags) {
    char target[PATH_MAX];
    ssize_t len = readlink(join("", name), target, sizeof target - 1);
    if (len < 0) {
        runner_add_bind(runner, join("", name), name, flags | RUNNER_BIND_REC);
        return;
    }
    target[len] = '\0';
    runner_add_symlink(runner, target, name);
}

/* A runner for poke with the host's tree as its root. */
TAP_HELPER runner_t *in_host_tree(uint64_t namespaces, uint32_t bind_flags) {
    runner_t *runner = poke("pid");
    runner_set_exec_fd(runner, poke_fd);
    runner_set_unshare_flags(runner, CLONE_NEWNS | userns_if_needed() | namespaces);
    runner_set_pivot_root(runner, pivot_dir);
    DIR *dir = opendir("/");
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            add_host_entry(runner, entry->d_name, bind_flags);
    if (dir != NULL)
        closedir(dir);
    return runner;
}

/* Whose files another user must not read: for the child of in_child(), which is an ordinary user from here on. */
TAP_HELPER bool become_ordinary(uid_t id) {
    if (geteuid() != 0)
        return true;
    bool good = setgroups(0, NULL) == 0 && setresgid(id, id, id) == 0 && setresuid(id, id, id) == 0;
    /* A change of ids takes it away, and with it the files of this process in /proc. */
    return ok(good && prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0, "becomes an ordinary user");
}

#endif
