/* A thread of the host that finds the child of a start at the op at which it sleeps, and kills it there. Include
 * after poke.h. */

#ifndef HUNT_H
#define HUNT_H

#include <pthread.h>

struct hunt {
    pthread_t thread;
    int own_filters;
    atomic_bool over;
    pid_t killed; /* 0: nobody was found */
    int64_t at;
};

/* How many seccomp filters a process is under. */
TAP_HELPER int filters_of(pid_t pid) {
    return atoi(status_line(pid, "Seccomp_filters"));
}

/* It has named itself, unless a filter keeps it from that: then it spins right behind the filter, at its exec. */
TAP_HELPER bool sleeps_at_fault(pid_t pid, const struct hunt *hunt) {
    char state = 'Z';
    if (parent_of(pid, &state) < 0 || state == 'Z')
        return false;
    if (strcmp(proc_text(pid, "comm"), "fault") == 0)
        return true;
    if (filters_of(pid) <= hunt->own_filters)
        return false;
    sleep_ms(5); /* from the filter to the exec */
    return true;
}

/* The first child of this process, by whichever thread, that sleeps at an op; 0 for none. */
TAP_HELPER pid_t find_sleeper(const struct hunt *hunt) {
    DIR *tasks = opendir("/proc/self/task");
    pid_t found = 0;
    for (struct dirent *entry; tasks != NULL && found == 0 && (entry = readdir(tasks)) != NULL;) {
        char path[300], text[1024];
        snprintf(path, sizeof path, "/proc/self/task/%s/children", entry->d_name);
        if (entry->d_name[0] == '.' || read_file(path, text, sizeof text) <= 0)
            continue;
        for (char *save, *pid = strtok_r(text, " \n", &save); pid && found == 0; pid = strtok_r(NULL, " \n", &save))
            found = sleeps_at_fault(atoi(pid), hunt) ? atoi(pid) : 0;
    }
    if (tasks != NULL)
        closedir(tasks);
    return found;
}

TAP_HELPER void *hunt_down(void *argument) {
    struct hunt *hunt = argument;
    while (!atomic_load(&hunt->over)) {
        pid_t pid = find_sleeper(hunt);
        if (pid > 0) {
            hunt->at = now_ms();
            hunt->killed = kill(pid, SIGKILL) == 0 ? pid : 0;
            return NULL;
        }
        usleep(100);
    }
    return NULL;
}

TAP_HELPER void begin_hunt(struct hunt *hunt) {
    memset(hunt, 0, sizeof *hunt);
    hunt->own_filters = filters_of(getpid());
    ok_int(pthread_create(&hunt->thread, NULL, hunt_down, hunt), 0, "a thread that kills");
}

/* Whether somebody was found and killed. */
TAP_HELPER bool end_hunt(struct hunt *hunt) {
    atomic_store(&hunt->over, true);
    pthread_join(hunt->thread, NULL);
    return hunt->killed > 0;
}

#endif
