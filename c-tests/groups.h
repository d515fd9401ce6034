/* Cgroups as the tests of plain starts and of watched runs see them: where hierarchies are, and groups of their own.
 * Include after tap.h. */

#ifndef GROUPS_H
#define GROUPS_H

/* The mount of a hierarchy: "" is v2, else a v1 controller. False where there is none. */
TAP_HELPER bool find_mount(const char *controller, char *path, size_t size) {
    char line[4096];
    FILE *mounts = fopen("/proc/self/mounts", "re");
    bool found = false;
    while (mounts && !found && fgets(line, sizeof line, mounts)) {
        char where[1024], type[64], options[1024], padded[1100], wanted[80];
        if (sscanf(line, "%*s %1023s %63s %1023s", where, type, options) != 3)
            continue;
        snprintf(padded, sizeof padded, ",%s,", options);
        snprintf(wanted, sizeof wanted, ",%s,", controller);
        found = *controller ? strcmp(type, "cgroup") == 0 && strstr(padded, wanted) : strcmp(type, "cgroup2") == 0;
        if (found)
            snprintf(path, size, "%s", where);
    }
    if (mounts)
        fclose(mounts);
    return found;
}

/* The group of a process in a hierarchy, as /proc/PID/cgroup names it; "" where it names none. */
TAP_HELPER const char *group_of(pid_t pid, const char *controller) {
    static _Thread_local char groups[4][1024];
    static _Thread_local unsigned next;
    char text[8192], path[64], *group = groups[next++ % COUNT(groups)];
    snprintf(path, sizeof path, "/proc/%d/cgroup", (int)pid);
    group[0] = '\0';
    read_file(path, text, sizeof text);
    for (char *save, *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *names = strchr(line, ':'), *where = names ? strchr(names + 1, ':') : NULL, padded[256], wanted[80];
        if (where == NULL)
            continue;
        snprintf(padded, sizeof padded, ",%.*s,", (int)(where - names - 1), names + 1);
        snprintf(wanted, sizeof wanted, ",%s,", controller);
        if (strcmp(padded, wanted) == 0 || (*controller && strstr(padded, wanted)))
            snprintf(group, sizeof groups[0], "%s", where + 1);
    }
    return group;
}

/* One write(2) is one command to a file of a group. */
TAP_HELPER bool put_text(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return good;
}

/* A group can be removed a moment after its last process is gone. */
TAP_HELPER void drop_dir(const char *path) {
    int result = -1;
    for (int i = 0; i < 500 && (result = rmdir(path)) != 0 && errno == EBUSY; i++)
        sleep_ms(2);
    ok_int(result, 0, "the group %s is empty and goes away", path);
}

#endif
