/* The control of same_host(): each thing that a failed start could leave is left, and has to be seen. Include after
 * host.h and sets.h. */

#ifndef TRACES_H
#define TRACES_H

static int left_fd;
static pid_t left_child;
static pthread_t left_thread;
static atomic_bool thread_may_end;
static char left_group[GROUP_PATH + 64];

static void *wait_for_the_end(void *unused) {
    while (!atomic_load(&thread_may_end))
        usleep(1000);
    return unused;
}

static void leave_fd(void) { left_fd = dup(place.null); }
static void clear_fd(void) { close(left_fd); }
static void leave_thread(void) {
    atomic_store(&thread_may_end, false);
    pthread_create(&left_thread, NULL, wait_for_the_end, NULL);
}
static void clear_thread(void) {
    atomic_store(&thread_may_end, true);
    pthread_join(left_thread, NULL);
}
/* As the library makes its children: without an exit signal. */
static void leave_child(void) {
    left_child = (pid_t)syscall(SYS_clone, 0, 0, 0, 0, 0);
    if (left_child == 0)
        while (true)
            pause();
}
static void leave_zombie(void) {
    leave_child();
    kill(left_child, SIGKILL);
    waitid(P_PID, (id_t)left_child, &(siginfo_t){0}, WEXITED | WNOWAIT | __WALL);
}
static void clear_child(void) {
    kill(left_child, SIGKILL);
    waitpid(left_child, NULL, __WALL);
}
static void leave_umask(void) { umask(umask(0) ^ 0700); }
static void leave_cwd(void) {
    left_fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    ok_int(chdir(place.here), 0, "chdir");
}
static void clear_cwd(void) {
    ok_int(fchdir(left_fd), 0, "back");
    close(left_fd);
}
static void leave_undumpable(void) { prctl(PR_SET_DUMPABLE, 0); }
static void clear_undumpable(void) { prctl(PR_SET_DUMPABLE, 1); }
static void leave_mount(void) { ok_int(mount("left", place.there, "tmpfs", 0, NULL), 0, "a mount"); }
static void clear_mount(void) { umount(place.there); }
static void leave_group(void) {
    char parent[GROUP_PATH] = "";
    group_dir(getpid(), "pids", parent);
    snprintf(left_group, sizeof left_group, "%s/runner-%d-left", parent, (int)getpid());
    ok_int(mkdir(left_group, 0755), 0, "a group");
}
static void clear_group(void) { rmdir(left_group); }

static const struct trace {
    const char *name;
    void (*leave)(void), (*clear)(void);
    bool needs_root;
} traces[] = {
    {"fd", leave_fd, clear_fd, false},
    {"thread", leave_thread, clear_thread, false},
    {"child", leave_child, clear_child, false},
    {"zombie", leave_zombie, clear_child, false},
    {"umask", leave_umask, leave_umask, false},
    {"cwd", leave_cwd, clear_cwd, false},
    {"dumpable flag", leave_undumpable, clear_undumpable, false},
    {"mount", leave_mount, clear_mount, true},
    {"group", leave_group, clear_group, true},
};

static void what_is_left_is_noticed(void) {
    struct host before, now;
    for (size_t i = 0; i < COUNT(traces); i++) {
        if (traces[i].needs_root && !place.groups)
            continue;
        describe_host(&before);
        traces[i].leave();
        describe_host(&now);
        traces[i].clear();
        ok(strcmp(before.text, now.text) != 0, "a %s that is left is seen: %s", traces[i].name, now.text);
        same_host(&before);
    }
}

#endif
