/* Cgroups for runs: limits and figures of the whole tree of a run, by v2 or by v1, whichever has them.
 *
 * Everything happens beneath one group of our own, judge-<pid>, which is removed at the end. Where none can be made,
 * `version` is 0 and `reason` says why; the judge then lives on rlimits. See cgroups(7).
 */
#ifndef JUDGE_CGROUP_H
#define JUDGE_CGROUP_H

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <mntent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runner.h"

/* What is asked of a cgroup. In v1 each kind is a hierarchy of its own; in v2 all three are one directory. */
enum cgroup_kind { CGROUP_MEMORY, CGROUP_PIDS, CGROUP_CPU, CGROUP_KINDS };

struct cgroups {
    int version;                        /* 1, 2, or 0: none */
    char base[CGROUP_KINDS][PATH_MAX];  /* our own group, by kind */
    char parent[PATH_MAX];              /* v2: where controllers had to be enabled, to be undone; or "" */
    char leaf[PATH_MAX];                /* v2: where the judge moved to, because of "no internal processes"; or "" */
    char reason[256];
};

/* One run's cgroup. */
struct cgroup {
    int version;
    char dir[CGROUP_KINDS][PATH_MAX];
};

/* The same thing has another name in v1; `key` is a word at the start of a line, NULL where the file is one number. */
struct cgroup_file {
    enum cgroup_kind kind;
    const char *name, *key;
    uint64_t unit;
};
static const struct cgroup_file CGROUP_PEAK[] = {{CGROUP_MEMORY, "memory.max_usage_in_bytes", NULL, 1},
                                                 {CGROUP_MEMORY, "memory.peak", NULL, 1}};
static const struct cgroup_file CGROUP_OOM[] = {{CGROUP_MEMORY, "memory.oom_control", "oom_kill ", 1},
                                                {CGROUP_MEMORY, "memory.events", "oom_kill ", 1}};
static const struct cgroup_file CGROUP_REFUSED[] = {{CGROUP_PIDS, "pids.events", "max ", 1},
                                                    {CGROUP_PIDS, "pids.events", "max ", 1}};
static const struct cgroup_file CGROUP_CPU_NS[] = {{CGROUP_CPU, "cpuacct.usage", NULL, 1},
                                                   {CGROUP_CPU, "cpu.stat", "usage_usec ", 1000}};

/* 0 or a negative errno. One write(2) is one command to a cgroup file. */
static int cgroup_write(const char *dir, const char *name, const char *text)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path)
        return -ENAMETOOLONG;
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int result = write(fd, text, strlen(text)) < 0 ? -errno : 0;
    close(fd);
    return result;
}

static int cgroup_write_number(const char *dir, const char *name, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    return cgroup_write(dir, name, text);
}

/* A figure of the run; 0 where the kernel does not have it. `files` are the names in v1 and in v2. */
static uint64_t cgroup_read(const struct cgroup *group, const struct cgroup_file files[2])
{
    const struct cgroup_file *file = &files[group->version - 1];
    char path[PATH_MAX], line[256];
    if (snprintf(path, sizeof path, "%s/%s", group->dir[file->kind], file->name) >= (int)sizeof path)
        return 0;
    FILE *stream = fopen(path, "re");
    if (!stream)
        return 0;
    size_t skip = file->key ? strlen(file->key) : 0;
    uint64_t value = 0;
    while (fgets(line, sizeof line, stream)) {
        if (skip && strncmp(line, file->key, skip) != 0)
            continue;
        value = strtoull(line + skip, NULL, 10) * file->unit;
        break;
    }
    fclose(stream);
    return value;
}

/* Our path in the hierarchy of `controller` ("": v2), from /proc/self/cgroup: "4:memory:/path", "0::/path". */
static void cgroup_self(const char *controller, char path[PATH_MAX])
{
    char line[PATH_MAX];
    strcpy(path, "/");
    FILE *stream = fopen("/proc/self/cgroup", "re");
    while (stream && fgets(line, sizeof line, stream)) {
        line[strcspn(line, "\n")] = 0;
        char *names = strchr(line, ':'), *own = names ? strchr(names + 1, ':') : NULL;
        if (!own)
            continue;
        *own = 0;
        bool found = !*controller && !names[1];
        for (char *save, *name = strtok_r(names + 1, ",", &save); name; name = strtok_r(NULL, ",", &save))
            found |= strcmp(name, controller) == 0;
        if (found)
            strcpy(path, own + 1);
    }
    if (stream)
        fclose(stream);
}

/* The directory of our own cgroup in a hierarchy, and the top of that hierarchy. Inside a container the path may name
 * something outside it; then the top is what we have. */
static bool cgroup_find(const char *controller, char own[PATH_MAX], char top[PATH_MAX])
{
    bool found = false;
    FILE *mounts = setmntent("/proc/self/mounts", "re");
    for (struct mntent *mount; mounts && !found && (mount = getmntent(mounts));) {
        found = *controller ? !strcmp(mount->mnt_type, "cgroup") && hasmntopt(mount, controller)
                            : !strcmp(mount->mnt_type, "cgroup2");
        if (found)
            snprintf(top, PATH_MAX, "%s", mount->mnt_dir);
    }
    if (mounts)
        endmntent(mounts);
    if (!found)
        return false;
    char path[PATH_MAX];
    cgroup_self(controller, path);
    if (snprintf(own, PATH_MAX, "%s%s", top, strcmp(path, "/") ? path : "") >= PATH_MAX || access(own, F_OK) != 0)
        strcpy(own, top);
    return true;
}

static int cgroup_make(const char *parent, const char *name, char path[PATH_MAX])
{
    if (snprintf(path, PATH_MAX, "%s/%s", parent, name) >= PATH_MAX)
        return -ENAMETOOLONG;
    return mkdir(path, 0755) == 0 ? 0 : -errno;
}

/* A group cannot be removed while the last of its dead are being put away, so this waits a little. */
static void cgroup_remove(const char *path)
{
    for (int i = 0; i < 200 && rmdir(path) != 0 && errno == EBUSY; i++)
        usleep(1000);
}

/* v1: a group in each of three hierarchies. */
static bool cgroups_open_v1(struct cgroups *all, const char *name)
{
    static const char *const controllers[CGROUP_KINDS] = {"memory", "pids", "cpuacct"};
    for (int kind = 0; kind < CGROUP_KINDS; kind++) {
        char own[PATH_MAX], top[PATH_MAX];
        int error = cgroup_find(controllers[kind], own, top) ? cgroup_make(own, name, all->base[kind]) : -ENOENT;
        if (error == 0)
            continue;
        snprintf(all->reason, sizeof all->reason, "no group in the %s hierarchy (v1): %s", controllers[kind],
                 strerror(-error));
        while (kind-- > 0)
            cgroup_remove(all->base[kind]);
        return false;
    }
    all->version = 1;
    return true;
}

/* v2: may `parent` give memory and pids to its children? Only a group without processes of its own may, so where
 * we are the process in the way, we step aside into a leaf. Undone by cgroups_close(). */
static int cgroup_delegate(struct cgroups *all, const char *parent, const char *name)
{
    int error = cgroup_write(parent, "cgroup.subtree_control", "+memory +pids");
    if (error == -EBUSY) {
        char leaf[64];
        snprintf(leaf, sizeof leaf, "%s-self", name);
        error = cgroup_make(parent, leaf, all->leaf);
        if (error == 0)
            error = cgroup_write(all->leaf, "cgroup.procs", "0");
        if (error == 0)
            error = cgroup_write(parent, "cgroup.subtree_control", "+memory +pids");
    }
    strcpy(all->parent, parent);
    return error;
}

static bool cgroup_gives(const char *parent)
{
    char path[PATH_MAX], line[256] = "";
    if (snprintf(path, sizeof path, "%s/cgroup.subtree_control", parent) >= (int)sizeof path)
        return false;
    FILE *stream = fopen(path, "re");
    bool read = stream && fgets(line, sizeof line, stream);
    if (stream)
        fclose(stream);
    return read && strstr(line, "memory") && strstr(line, "pids");
}

static void cgroups_close(struct cgroups *all);

/* v2: beneath our own group where it is delegated to us, else, as root, at the top, where systemd gives controllers. */
static bool cgroups_open_v2(struct cgroups *all, const char *name)
{
    char own[PATH_MAX], top[PATH_MAX];
    if (!cgroup_find("", own, top)) {
        strcpy(all->reason, "no cgroup hierarchy is mounted");
        return false;
    }
    bool at_top = cgroup_gives(top) && access(top, W_OK) == 0;
    int error = at_top || cgroup_gives(own) ? 0 : cgroup_delegate(all, own, name);
    if (error == 0)
        error = cgroup_make(at_top ? top : own, name, all->base[0]);
    if (error == 0)
        error = cgroup_write(all->base[0], "cgroup.subtree_control", "+memory +pids");
    all->version = 2;
    if (error == 0) {
        strcpy(all->base[1], all->base[0]);
        strcpy(all->base[2], all->base[0]);
        return true;
    }
    cgroups_close(all);
    snprintf(all->reason, sizeof all->reason, "no group with memory and pids beneath %.128s (v2): %s", own,
             strerror(-error));
    return false;
}

static void cgroups_open(struct cgroups *all)
{
    char name[32];
    memset(all, 0, sizeof *all);
    snprintf(name, sizeof name, "judge-%d", (int)getpid());
    char own[PATH_MAX], top[PATH_MAX];
    if (cgroup_find("memory", own, top))
        cgroups_open_v1(all, name);
    else
        cgroups_open_v2(all, name);
}

static void cgroups_close(struct cgroups *all)
{
    for (int kind = 0; kind < CGROUP_KINDS; kind++)
        if (*all->base[kind] && all->version)
            cgroup_remove(all->base[kind]);
    if (*all->parent)
        cgroup_write(all->parent, "cgroup.subtree_control", "-memory -pids");
    if (*all->leaf) {
        cgroup_write(all->parent, "cgroup.procs", "0");
        cgroup_remove(all->leaf);
    }
    *all->parent = *all->leaf = 0;
    all->version = 0;
}

/* Kills what is left in it, which is nothing where the pid namespace has done its work, and removes it. */
static void cgroup_close(struct cgroup *group)
{
    if (group->version == 2)
        cgroup_write(group->dir[0], "cgroup.kill", "1"); /* Linux 5.14 */
    for (int kind = 0; kind < (group->version == 1 ? CGROUP_KINDS : 1); kind++)
        cgroup_remove(group->dir[kind]);
    group->version = 0;
}

static int cgroup_limit(const struct cgroup *group, uint64_t memory, unsigned processes)
{
    const char *dir = group->dir[CGROUP_MEMORY];
    int error = cgroup_write_number(dir, group->version == 1 ? "memory.limit_in_bytes" : "memory.max", memory);
    /* No way out into swap; the files are missing where swap is not accounted for. */
    if (group->version == 1) {
        cgroup_write_number(dir, "memory.memsw.limit_in_bytes", memory);
    } else {
        cgroup_write(dir, "memory.swap.max", "0");
        cgroup_write(dir, "memory.oom.group", "1");
    }
    return error ? error : cgroup_write_number(group->dir[CGROUP_PIDS], "pids.max", processes);
}

static int cgroup_make_all(const struct cgroups *all, struct cgroup *group, const char *name, runner_t *runner)
{
    for (int kind = 0; kind < CGROUP_KINDS; kind++) {
        if (all->version == 2 && kind > 0) {
            strcpy(group->dir[kind], group->dir[0]);
            continue;
        }
        int error = cgroup_make(all->base[kind], name, group->dir[kind]);
        if (error == 0)
            error = runner_set_cgroup_path(runner, group->dir[kind]);
        if (error)
            return error;
    }
    return 0;
}

/* A new group for one run, and the runner told to start in it. Without cgroups group->version is 0. */
static int cgroup_open(const struct cgroups *all, struct cgroup *group, uint64_t memory, unsigned processes,
                       runner_t *runner)
{
    static unsigned serial;
    char name[32];
    memset(group, 0, sizeof *group);
    if (!all->version)
        return 0;
    snprintf(name, sizeof name, "run-%u", serial++);
    group->version = all->version;
    int error = cgroup_make_all(all, group, name, runner);
    if (error == 0)
        error = cgroup_limit(group, memory, processes);
    if (error)
        cgroup_close(group);
    return error;
}

#endif
