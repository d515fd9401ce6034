/* The controls: each leaves one thing behind, once, as a library with a bug would a thousand times. Include after
 * counts.h and kinds.h. */

#ifndef LEAKS_H
#define LEAKS_H

static bool leak_fd(void) {
    return open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0;
}

static void *stay(void *unused) {
    pause();
    return unused;
}

static bool leak_thread(void) {
    pthread_t thread;
    return pthread_create(&thread, NULL, stay, NULL) == 0;
}

static bool leak_child(void) {
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    return pid > 0;
}

/* Its parent is gone, so it is nobody's child. */
static bool leak_program(void) {
    runner_t *runner = load("orphan", "sleep", "30000", "end");
    bool good = exited(run(runner), 0);
    runner_free(runner);
    return good;
}

static bool leak_mount(void) {
    return mount("leak", place.root, "tmpfs", 0, NULL) == 0;
}

static bool leak_cgroup(void) {
    char parent[GROUP_PATH], path[GROUP_PATH + 64];
    bool v2;
    if (!parent_with("memory", parent, &v2) && !parent_with("", parent, &v2))
        return false;
    snprintf(path, sizeof path, "%s/runner-%d-leak", parent, (int)getpid());
    return mkdir(path, 0755) == 0;
}

static bool leak_memory(void) {
    static void *volatile block; /* the compiler has to believe in it */
    block = malloc(1 << 10);
    return block != NULL;
}

static const struct leak {
    const char *name;
    bool (*make)(void);
    bool needs_root;
} leaks[] = {
    {"fd", leak_fd, false},         {"thread", leak_thread, false}, {"child", leak_child, false},
    {"program", leak_program, false}, {"mount", leak_mount, true},    {"cgroup", leak_cgroup, true},
    {"memory", leak_memory, false},
};

static const struct leak *leak_named(const char *name) {
    for (size_t i = 0; i < COUNT(leaks); i++)
        if (strcmp(leaks[i].name, name) == 0)
            return &leaks[i];
    return NULL;
}

#endif
