/* A held start: the program waits right before its exec, while this host puts it into a memory cgroup of its own.
 *
 *   held [-m MIB] [/PATH/OF/PROGRAM [ARGUMENT...]]
 *
 * A watched run makes its cgroups itself (run.c). This is for a host that has cgroups already, or has something else
 * to do with a process that is complete but has not begun: to look at it, to attach to it, to tell somebody its
 * pid. All memory of the program counts, since it has touched none yet. Without PROGRAM it is one that needs 64 MiB.
 *
 * The group is made in v1 beneath this process's own, in v2 beneath the nearest one that gives memory to its
 * children. Where none can be made it says so, and goes on without. Groups of others are not changed.
 */
#define _GNU_SOURCE /* namespaces */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runner.h"

/* What the two versions call the same things. */
static const struct version {
    const char *name, *filesystem;
    const char *limit, *swap, *peak, *events;
    bool swap_with_memory; /* v1 limits both together, v2 swap alone */
} V1 = {"v1", "cgroup", "memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.max_usage_in_bytes",
        "memory.oom_control", true},
  V2 = {"v2", "cgroup2", "memory.max", "memory.swap.max", "memory.peak", "memory.events", false};

struct group {
    const struct version *version; /* NULL: there is none */
    char path[PATH_MAX + 32];
};

/* ---- files of cgroups ---------------------------------------------------------------------------------------- */

static bool read_file(const char *group, const char *name, char *text, size_t size)
{
    char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", group, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);
    text[n < 0 ? 0 : n] = 0;
    if (fd >= 0)
        close(fd);
    return n >= 0;
}

static bool write_number(const char *group, const char *name, unsigned long long number)
{
    char path[PATH_MAX + 64], text[32];
    int length = snprintf(text, sizeof text, "%llu", number);
    snprintf(path, sizeof path, "%s/%s", group, name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool written = fd >= 0 && write(fd, text, (size_t)length) == length;
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return written;
}

static bool has_word(const char *words, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = words; (at = strstr(at, word)); at += n)
        if ((at == words || strchr(" ,:", at[-1])) && (at[n] == 0 || strchr(" ,:\n", at[n])))
            return true;
    return false;
}

/* ---- where the group can be ---------------------------------------------------------------------------------- */

/* This process's own group in the hierarchy of the memory controller: its path there. cgroups(7) */
static const struct version *own_group(char path[PATH_MAX])
{
    const struct version *version = NULL;
    char line[PATH_MAX], *controllers, *own;
    FILE *stream = fopen("/proc/self/cgroup", "re");
    while (stream && version != &V1 && fgets(line, sizeof line, stream)) {
        line[strcspn(line, "\n")] = 0;
        if (!(controllers = strchr(line, ':')) || !(own = strchr(++controllers, ':')))
            continue;
        *own++ = 0;
        if (*controllers && !has_word(controllers, "memory"))
            continue;
        version = *controllers ? &V1 : &V2; /* no controllers are named for v2 */
        strcpy(path, own);
    }
    if (stream)
        fclose(stream);
    return version;
}

/* Where that hierarchy is mounted, and which group of it the mount shows as its root. proc_pid_mountinfo(5) */
static bool find_mount(const struct version *version, char root[PATH_MAX], char mount[PATH_MAX])
{
    char line[3 * PATH_MAX], filesystem[64], options[PATH_MAX];
    bool found = false;
    FILE *stream = fopen("/proc/self/mountinfo", "re");
    while (stream && !found && fgets(line, sizeof line, stream)) {
        const char *rest = strstr(line, " - ");
        found = rest && sscanf(line, "%*s %*s %*s %4095s %4095s", root, mount) == 2 &&
                sscanf(rest, " - %63s %*s %4095s", filesystem, options) == 2 &&
                strcmp(filesystem, version->filesystem) == 0 && (version == &V2 || has_word(options, "memory"));
    }
    if (stream)
        fclose(stream);
    return found;
}

/* A v2 group that gives controllers to its children has no processes itself, so it is never this one's own. */
static bool find_v2_parent(const char *mount, char *group)
{
    char given[256];
    while (!read_file(group, "cgroup.subtree_control", given, sizeof given) || !has_word(given, "memory")) {
        if (strcmp(group, mount) == 0)
            return false;
        *strrchr(group, '/') = 0;
    }
    return true;
}

/* The directory beneath which the group is made. NULL, or what is in the way. */
static const char *find_parent(const struct version **version, char parent[PATH_MAX])
{
    char own[PATH_MAX], root[PATH_MAX], mount[PATH_MAX];
    if (!(*version = own_group(own)) || !find_mount(*version, root, mount))
        return "no cgroup hierarchy with memory is mounted";
    size_t hidden = strcmp(root, "/") == 0 ? 0 : strlen(root); /* a container sees its own part */
    if (strncmp(own, root, hidden) != 0)
        return "this process's own group is not to be seen here";
    const char *beneath = strcmp(own + hidden, "/") == 0 ? "" : own + hidden;
    if (snprintf(parent, PATH_MAX, "%s%s", mount, beneath) >= PATH_MAX)
        return strerror(ENAMETOOLONG);
    if (*version == &V2 && !find_v2_parent(mount, parent))
        return "no group above this process gives memory to its children";
    return NULL;
}

/* ---- the group ----------------------------------------------------------------------------------------------- */

static void remove_group(struct group *group)
{
    if (group->version && rmdir(group->path) != 0)
        perror(group->path);
    group->version = NULL;
}

/* With its limits, before anything is in it. Without swap accounting there is nothing that could limit swap. */
static bool set_limits(const struct group *group, unsigned long long limit)
{
    const struct version *version = group->version;
    bool limited = write_number(group->path, version->limit, limit);
    return limited && (write_number(group->path, version->swap, version->swap_with_memory ? limit : 0) ||
                       errno == ENOENT);
}

static void make_group(struct group *group, unsigned long long limit)
{
    const struct version *version;
    char parent[PATH_MAX];
    const char *problem = find_parent(&version, parent);
    if (problem) {
        printf("no group: %s\n", problem);
        return;
    }
    snprintf(group->path, sizeof group->path, "%s/held-%d", parent, (int)getpid());
    if (mkdir(group->path, 0755) == 0)
        group->version = version;
    if (group->version && set_limits(group, limit)) {
        printf("group: %s (%s), limited to %llu MiB\n", group->path, version->name, limit >> 20);
        return;
    }
    printf("no group: %s: %s\n", group->path, strerror(errno));
    remove_group(group);
}

static void print_figures(const struct group *group)
{
    char peak[64], events[1024];
    const char *kills;
    if (!group->version)
        return;
    if (read_file(group->path, group->version->peak, peak, sizeof peak)) /* v2: Linux 5.19 */
        printf("peak of its memory: %.1f MiB\n", (double)strtoull(peak, NULL, 10) / 1048576);
    if (read_file(group->path, group->version->events, events, sizeof events) &&
        (kills = strstr(events, "oom_kill ")))
        printf("killed for lack of memory: %lu\n", strtoul(kills + strlen("oom_kill "), NULL, 10));
}

/* ---- the program --------------------------------------------------------------------------------------------- */

/* In a pid namespace, so that nothing is left in the group when the first process has ended: it could not be
 * removed. For that an ordinary user needs a user namespace. */
static runner_held_t *hold(const char *const *argv)
{
    runner_error_t error = RUNNER_ERROR_INIT;
    runner_held_t *held;
    runner_t *runner = runner_new();
    runner_set_args(runner, argv);
    runner_set_env(runner, (const char *const[]){"PATH=/usr/bin:/bin", NULL});
    runner_set_files(runner, (const int[]){0, 1, 2}, 3);
    runner_set_unshare_flags(runner, CLONE_NEWPID | (geteuid() == 0 ? 0 : CLONE_NEWUSER));
    runner_set_no_new_privs(runner, true);
    if (runner_start_held(runner, &held, &error) < 0)
        fprintf(stderr, "%s: %s\n", runner_stage_name(error.stage), error.message);
    runner_free(runner); /* what is held does not need it */
    return held;
}

/* The pid of the running program; -1: it never ran. */
static pid_t let_run_in(const struct group *group, runner_held_t *held)
{
    runner_error_t error = RUNNER_ERROR_INIT;
    printf("pid %d is held\n", (int)runner_held_pid(held));
    fflush(stdout); /* before the program prints */
    if (group->version && !write_number(group->path, "cgroup.procs", (unsigned)runner_held_pid(held))) {
        perror(group->path);
        runner_held_abort(held); /* rather than to run without the limit */
        return -1;
    }
    pid_t pid = runner_held_resume(held, &error);
    if (pid < 0)
        fprintf(stderr, "%s: %s\n", runner_stage_name(error.stage), error.message);
    return pid;
}

static bool run_in(const struct group *group, const char *const *argv)
{
    int status;
    runner_held_t *held = hold(argv);
    pid_t pid = held ? let_run_in(group, held) : -1;
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return false;
    if (WIFEXITED(status))
        printf("exit code %d\n", WEXITSTATUS(status));
    else
        printf("signal %d\n", WTERMSIG(status));
    print_figures(group);
    return true;
}

int main(int argc, char **argv)
{
    /* The last of a file without lines, kept in memory until its end. */
    const char *const needs_64_mib[] = {"/bin/sh", "-c",
                                        "head -c 67108864 /dev/zero | tail -c 67108864 | wc -c; exit 0", NULL};
    bool option = argc > 2 && strcmp(argv[1], "-m") == 0;
    unsigned long long limit = option ? strtoull(argv[2], NULL, 10) : 32;
    const char *const *program = (const char *const *)argv + 1 + 2 * option;
    if (limit == 0 || (*program && **program != '/')) {
        fprintf(stderr, "usage: %s [-m MIB] [/PATH/OF/PROGRAM [ARGUMENT...]]\n", argv[0]);
        return 2;
    }
    struct group group = {0};
    make_group(&group, limit << 20);
    bool good = run_in(&group, *program ? program : needs_64_mib);
    remove_group(&group);
    return good ? 0 : 1;
}
