/* Prints what this machine offers to a sandbox, for a person: runner_probe() as a table. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "runner.h"

static void row(const char *what, const char *answer, const char *note)
{
    printf("  %-38s %-6s %s\n", what, answer, note);
}

static void yes_no(const char *what, uint32_t value, const char *note)
{
    row(what, value ? "yes" : "no", note);
}

/* The names of the controllers in a mask, e.g. "memory pids"; "none" where it is empty. */
static void controllers(const char *what, uint32_t mask)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } names[] = {
        {RUNNER_CONTROLLER_CPU, "cpu"},       {RUNNER_CONTROLLER_CPUACCT, "cpuacct"},
        {RUNNER_CONTROLLER_MEMORY, "memory"}, {RUNNER_CONTROLLER_PIDS, "pids"},
        {RUNNER_CONTROLLER_CPUSET, "cpuset"}, {RUNNER_CONTROLLER_IO, "io"},
        {RUNNER_CONTROLLER_FREEZER, "freezer"},
    };
    char text[128] = "";
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!(mask & names[i].bit))
            continue;
        if (*text)
            strcat(text, " ");
        strcat(text, names[i].name);
    }
    row(what, mask ? text : "none", "");
}

static void print_calls(const runner_probe_t *p)
{
    puts("system calls");
    yes_no("clone3", p->clone3, "born with a pidfd, in a cgroup");
    yes_no("birth in a cgroup", p->into_cgroup, "no stall at a write to cgroup.procs");
    yes_no("pidfd", p->pidfd, "wait and kill without a race");
    yes_no("close_range", p->close_range, "closes thousands of fds in one call");
    yes_no("mount_setattr", p->mount_setattr, "read-only beneath recursive binds");
    yes_no("openat2", p->openat2, "mount targets stay inside the new root");
    yes_no("seccomp filters", p->seccomp, "");
    char abi[32];
    snprintf(abi, sizeof abi, "ABI %u", p->landlock);
    row("Landlock", p->landlock ? abi : "no", "");
}

static void print_namespaces(const runner_probe_t *p)
{
    puts("namespaces");
    yes_no("user namespace", p->user_namespace, "tried now, by this process");
    yes_no("all others without it", p->privileged_namespaces, "needs CAP_SYS_ADMIN");
    yes_no("time namespace", p->time_namespace, "");
}

static void print_cgroups(const runner_probe_t *p)
{
    puts("cgroups");
    yes_no("v2 mounted", p->cgroup_v2, "");
    yes_no("v2 groups can be made here", p->cgroup_v2_writable, "");
    controllers("v2 controllers for them", p->controllers_v2);
    yes_no("v1 mounted", p->cgroup_v1, "");
    controllers("v1 controllers", p->controllers_v1);
    controllers("v1 controllers, groups can be made", p->controllers_v1_writable);
}

/* Watched runs (runner_spawn) work in any case, with something else where there is no cgroup. */
static void print_runs(const runner_probe_t *p)
{
    puts("watched runs");
    yes_no("memory by a cgroup", !(p->runs_miss & RUNNER_MISSING_MEMORY), "else RLIMIT_AS, and looks at the processes");
    yes_no("processes by a cgroup", !(p->runs_miss & RUNNER_MISSING_PROCESSES), "else RLIMIT_NPROC");
    yes_no("CPU time by a cgroup", !(p->runs_miss & RUNNER_MISSING_CPU), "else looks at the processes");
    yes_no("CPU quota", !(p->runs_miss & RUNNER_MISSING_QUOTA), "needs a cgroup");
}

/* The blockers are sentences, a line each. */
static void print_blockers(const char *text)
{
    if (!*text)
        return;
    puts("what is missing, and what to do");
    for (size_t n; *text; text += n + (text[n] == '\n')) {
        n = strcspn(text, "\n");
        printf("  - %.*s\n", (int)n, text);
    }
}

int main(void)
{
    runner_probe_t probe = {0};
    int error = runner_probe(&probe);
    if (error < 0) {
        fprintf(stderr, "runner_probe: %s\n", strerror(-error));
        return 1;
    }
    uint32_t version = runner_version();
    printf("librunner %u.%u.%u on Linux %u.%u\n", version >> 16, version >> 8 & 0xff, version & 0xff,
           probe.kernel >> 16, probe.kernel & 0xffff);
    print_calls(&probe);
    print_namespaces(&probe);
    print_cgroups(&probe);
    print_runs(&probe);
    print_blockers(probe.blocker);
    return 0;
}
