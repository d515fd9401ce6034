/* Namespaces: exactly those that were asked for are new, and what is set in them stays in them. */

#define _GNU_SOURCE
#include "tap.h"

#include "poke.h"
#include <sys/utsname.h>

static const struct kind {
    const char *name, *link;
    uint64_t flag;
} kinds[] = {
    {"user", "ns/user", CLONE_NEWUSER},       {"mount", "ns/mnt", CLONE_NEWNS},  {"pid", "ns/pid", CLONE_NEWPID},
    {"network", "ns/net", CLONE_NEWNET},      {"ipc", "ns/ipc", CLONE_NEWIPC},   {"uts", "ns/uts", CLONE_NEWUTS},
    {"cgroup", "ns/cgroup", CLONE_NEWCGROUP}, {"time", "ns/time", CLONE_NEWTIME},
};

static uint64_t all_flags(void) {
    uint64_t flags = 0;
    for (size_t i = 0; i < COUNT(kinds); i++)
        flags |= kinds[i].flag;
    return flags;
}

/* Runs a program with these flags, and compares every one of its links with the host's. */
static void check_links(uint64_t flags) {
    runner_t *runner = poke("pause");
    ok_int(runner_set_unshare_flags(runner, flags), 0, "flags %#llx are taken", (unsigned long long)flags);
    pid_t pid = start(runner);
    if (ok(pid > 0, "starts with flags %#llx", (unsigned long long)flags))
        for (size_t i = 0; i < COUNT(kinds); i++) {
            const char *host = proc_link(getpid(), kinds[i].link), *inside = proc_link(pid, kinds[i].link);
            ok(*host && *inside, "the %s links are readable: \"%s\", \"%s\"", kinds[i].name, host, inside);
            ok_int(strcmp(host, inside) != 0, (flags & kinds[i].flag) != 0, "flags %#llx: a %s namespace of its own",
                   (unsigned long long)flags, kinds[i].name);
        }
    end_of(pid);
    runner_free(runner);
}

static void each_alone(void) {
    if (!is_root() && !have_userns())
        SKIP("no user namespaces for this user");
    for (size_t i = 0; i < COUNT(kinds); i++)
        check_links(kinds[i].flag | userns_if_needed());
}

static void all_together(void) {
    if (!have_userns())
        SKIP("no user namespaces");
    check_links(all_flags());
}

static void all_but_user(void) {
    if (!is_root())
        SKIP("needs root");
    check_links(all_flags() & ~(uint64_t)CLONE_NEWUSER);
}

static void none_asked(void) {
    check_links(0);
}

/* Flags replace each other: what was asked for first is forgotten. */
static void last_flags_count(void) {
    runner_t *runner = poke("pause");
    runner_set_unshare_flags(runner, all_flags());
    runner_set_unshare_flags(runner, 0);
    pid_t pid = start(runner);
    ok(pid > 0, "starts");
    ok_str(proc_link(pid, "ns/uts"), proc_link(getpid(), "ns/uts"), "the uts namespace is the host's again");
    end_of(pid);
    runner_free(runner);
}

/* clone(2): without CAP_SYS_ADMIN, EPERM. Each of them, so that none is silently left out. */
static void refused_checks(void) {
    if (geteuid() == 0)
        ok_int(setresgid(65534, 65534, 65534) | setresuid(65534, 65534, 65534), 0, "becomes an ordinary user");
    for (size_t i = 0; i < COUNT(kinds); i++) {
        if (kinds[i].flag == CLONE_NEWUSER)
            continue;
        runner_t *runner = poke("pid");
        runner_set_unshare_flags(runner, kinds[i].flag);
        ok_failed(run(runner), RUNNER_STAGE_CLONE, -1, EPERM);
        runner_free(runner);
    }
}

static void refused_without_privilege(void) {
    in_child(refused_checks);
}

/* ------------------------------------------------------------------ pid */

static void first_process(void) {
    runner_t *runner = poke("pid");
    char output[256], own[32];
    runner_set_unshare_flags(runner, CLONE_NEWPID | userns_if_needed());
    expect(runner, {"pid", "1"}, {"ppid", "0"});
    runner_set_unshare_flags(runner, 0);
    ok(exited(run_output(runner, output, sizeof output), 0), "control: runs without the namespace");
    snprintf(own, sizeof own, "%d", (int)getpid());
    expect(runner, {"ppid", own});
    ok(atoi(output) > 1, "control: without the namespace it is pid %d", atoi(output));
    runner_free(runner);
}

/* Starts `poke orphan` and says whether its output ends with it; the orphan's pid, as it printed it. */
static bool output_ends(runner_t *runner, int *orphan) {
    int ends[2];
    char text[64] = "";
    *orphan = 0;
    if (!ok(pipe2(ends, O_CLOEXEC) == 0, "a pipe"))
        return false;
    runner_set_files(runner, (int[]){-1, ends[1]}, 2);
    pid_t pid = start(runner);
    close(ends[1]);
    ok(pid > 0 && exited(child_status(pid), 0), "the program ran");
    ssize_t n = read(ends[0], text, sizeof text - 1);
    ok(n > 0, "it printed the orphan's pid");
    *orphan = atoi(text);
    struct pollfd end = {.fd = ends[0], .events = POLLIN};
    bool ended = poll(&end, 1, 300) == 1 && read(ends[0], text, sizeof text) == 0;
    close(ends[0]);
    return ended;
}

static void everything_dies_with_it(void) {
    runner_t *runner = poke("orphan");
    int orphan;
    runner_set_unshare_flags(runner, CLONE_NEWPID | userns_if_needed());
    ok(output_ends(runner, &orphan), "what the program left behind is dead with it");
    runner_set_unshare_flags(runner, 0);
    ok(!output_ends(runner, &orphan), "control: without a pid namespace it lives on");
    if (orphan > 1)
        kill(orphan, SIGKILL);
    runner_free(runner);
}

/* ------------------------------------------------------------------ network */

static void loopback_up(void) {
    runner_t *runner = poke("loopback");
    runner_set_unshare_flags(runner, CLONE_NEWNET | userns_if_needed());
    runner_set_loopback_up(runner, true);
    expect(runner, {"loopback", "ok"}, {"bind 0", "ok"});
    runner_free(runner);
}

static void loopback_down(void) {
    char output[256];
    runner_t *runner = poke("loopback");
    runner_set_unshare_flags(runner, CLONE_NEWNET | userns_if_needed());
    ok(exited(run_output(runner, output, sizeof output), 0), "runs");
    ok(output[0] == 'E', "control: without runner_set_loopback_up() 127.0.0.1 does not answer: %s", output);
    runner_set_loopback_up(runner, true);
    runner_set_loopback_up(runner, false);
    ok(exited(run_output(runner, output, sizeof output), 0), "runs");
    ok(output[0] == 'E', "it can be taken back: %s", output);
    runner_free(runner);
}

/* A sandbox whose ordinary user is its credential still gets its interface. */
static void loopback_with_credential(void) {
    if (!is_root())
        SKIP("needs root");
    runner_t *runner = poke("loopback");
    runner_set_unshare_flags(runner, CLONE_NEWNET);
    runner_set_loopback_up(runner, true);
    runner_set_credential(runner, 1000, 1000, NULL, 0);
    expect(runner, {"loopback", "ok"}, {"bind 80", "EACCES"});
    runner_free(runner);
}

static void host_network_invisible(void) {
    struct stat st;
    if (stat("/proc/self/net/dev", &st) != 0)
        SKIP("no /proc/self/net");
    runner_t *runner = poke("pause");
    runner_set_unshare_flags(runner, CLONE_NEWNET | userns_if_needed());
    pid_t pid = start(runner);
    ok(pid > 0, "starts");
    const char *devices = proc_text(pid, "net/dev");
    int lines = lines_in(devices);
    ok(strstr(devices, "lo:") != NULL, "it has lo");
    ok_int(lines, 3, "two lines of heading and lo, nothing else");
    end_of(pid);
    runner_free(runner);
}

/* ------------------------------------------------------------------ names */

static void names_inside(void) {
    struct utsname before, after;
    uname(&before);
    runner_t *runner = poke("uts");
    runner_set_unshare_flags(runner, CLONE_NEWUTS | userns_if_needed());
    runner_set_hostname(runner, "sandbox-7");
    runner_set_domainname(runner, "contest.example");
    expect(runner, {"uts", "sandbox-7 contest.example"});
    uname(&after);
    ok_str(after.nodename, before.nodename, "the host's name is as it was");
    ok_str(after.domainname, before.domainname, "the host's domain is as it was");
    runner_free(runner);
}

static void one_name_only(void) {
    struct utsname host;
    char want[256];
    uname(&host);
    runner_t *runner = poke("uts");
    runner_set_unshare_flags(runner, CLONE_NEWUTS | userns_if_needed());
    runner_set_hostname(runner, "only");
    snprintf(want, sizeof want, "only %s", host.domainname);
    expect(runner, {"uts", want});
    runner_free(runner);
    runner = poke("uts");
    runner_set_unshare_flags(runner, CLONE_NEWUTS | userns_if_needed());
    runner_set_domainname(runner, "only");
    snprintf(want, sizeof want, "%s only", host.nodename);
    expect(runner, {"uts", want});
    runner_free(runner);
}

/* 64 bytes is what the kernel takes (__NEW_UTS_LEN). */
static void longest_name(void) {
    char name[65], want[256];
    struct utsname host;
    uname(&host);
    memset(name, 'n', 64);
    name[64] = '\0';
    runner_t *runner = poke("uts");
    runner_set_unshare_flags(runner, CLONE_NEWUTS | userns_if_needed());
    ok_int(runner_set_hostname(runner, name), 0, "64 bytes are taken");
    snprintf(want, sizeof want, "%s %s", name, host.domainname);
    expect(runner, {"uts", want});
    runner_free(runner);
}

/* ------------------------------------------------------------------ options that need a namespace */

static void need_uts_host(runner_t *r) { runner_set_hostname(r, "stolen"); }
static void need_uts_domain(runner_t *r) { runner_set_domainname(r, "stolen"); }
static void need_net(runner_t *r) { runner_set_loopback_up(r, true); }
static void need_user_uid(runner_t *r) { runner_add_uid_mapping(r, 0, geteuid(), 1); }
static void need_user_gid(runner_t *r) { runner_add_gid_mapping(r, 0, getegid(), 1); }
static void need_ns_pivot(runner_t *r) { runner_set_pivot_root(r, "/tmp"); }
static void need_ns_mount(runner_t *r) { runner_add_mount(r, "tmpfs", "/tmp", "tmpfs", 0, NULL); }
static void need_ns_bind(runner_t *r) { runner_add_bind(r, "/tmp", "/tmp", 0); }
static void need_ns_tmpfs(runner_t *r) { runner_add_tmpfs(r, "/tmp", 4096, 0700); }
static void need_ns_dev(runner_t *r) { runner_add_dev(r, "/tmp"); }
static void need_ns_proc(runner_t *r) { runner_add_proc(r, "/tmp", 0); }

static const struct need {
    const char *what;
    void (*set)(runner_t *);
    uint64_t flag;
} needs[] = {
    {"a host name", need_uts_host, CLONE_NEWUTS},     {"a domain name", need_uts_domain, CLONE_NEWUTS},
    {"loopback", need_net, CLONE_NEWNET},             {"a uid map", need_user_uid, CLONE_NEWUSER},
    {"a gid map", need_user_gid, CLONE_NEWUSER},      {"a root", need_ns_pivot, CLONE_NEWNS},
    {"a mount", need_ns_mount, CLONE_NEWNS},          {"a bind", need_ns_bind, CLONE_NEWNS},
    {"a tmpfs", need_ns_tmpfs, CLONE_NEWNS},          {"a /dev", need_ns_dev, CLONE_NEWNS},
    {"a proc, mount", need_ns_proc, CLONE_NEWNS},     {"a proc, pid", need_ns_proc, CLONE_NEWPID},
};

/* With all namespaces but the needed one: nothing may be done to the host's instead. */
static void needs_refused(void) {
    static char before[1 << 16];
    struct utsname names, now;
    uname(&names);
    snprintf(before, sizeof before, "%s", proc_text(getpid(), "mountinfo"));
    for (size_t i = 0; i < COUNT(needs); i++) {
        runner_t *runner = poke("pid");
        uint64_t flags = all_flags() & ~needs[i].flag & ~(uint64_t)CLONE_NEWTIME;
        runner_set_unshare_flags(runner, flags);
        needs[i].set(runner);
        int result = run(runner);
        ok(result == -EINVAL && last_error.stage == RUNNER_STAGE_OPTIONS && last_error.message[0],
           "%s without its namespace is refused: %d, stage %s, \"%s\"", needs[i].what, result,
           runner_stage_name(last_error.stage), last_error.message);
        runner_free(runner);
    }
    uname(&now);
    ok(memcmp(&names, &now, sizeof now) == 0, "the host's names are as they were");
    ok_str(proc_text(getpid(), "mountinfo"), before, "the host's mounts are as they were");
}

/* ------------------------------------------------------------------ the rest */

static void cgroup_root(void) {
    runner_t *runner = poke("cat /proc/self/cgroup");
    char output[8192];
    runner_set_unshare_flags(runner, CLONE_NEWCGROUP | userns_if_needed());
    ok(exited(run_output(runner, output, sizeof output), 0), "runs");
    int lines = 0;
    for (char *save, *line = strtok_r(output, "\n", &save); line; line = strtok_r(NULL, "\n", &save), lines++) {
        const char *path = strrchr(line, ':');
        ok_str(path ? path + 1 : "", "/", "line %d: its own cgroup is the root that it sees", lines);
    }
    ok(lines > 0, "there are lines");
    runner_free(runner);
}

/* user_namespaces(7): the namespaces that are made with a user namespace belong to it. */
static void user_owns_the_others(void) {
    if (!have_userns())
        SKIP("no user namespaces");
    runner_t *runner = poke("pid");
    runner_set_unshare_flags(runner, CLONE_NEWUSER | CLONE_NEWUTS | CLONE_NEWNET);
    runner_set_loopback_up(runner, true);
    expect(runner, {"hostname mine", "ok"}, {"bind 80", "ok"});
    runner_set_loopback_up(runner, false);
    runner_set_unshare_flags(runner, CLONE_NEWUSER);
    expect(runner, {"hostname mine", "EPERM"});
    runner_free(runner);
}

static const struct test tests[] = {
    {"each namespace alone: exactly it is new", each_alone},
    {"all eight namespaces together are new", all_together},
    {"all but the user namespace, as root", all_but_user},
    {"no namespace asked for, none new", none_asked},
    {"flags set later replace the earlier ones", last_flags_count},
    {"namespaces that may not be made are an error of clone, each", refused_without_privilege},
    {"in a pid namespace the program is pid 1 and sees no parent", first_process},
    {"what the program leaves behind in its pid namespace dies with it", everything_dies_with_it},
    {"loopback that was asked for carries a connection", loopback_up},
    {"loopback that was not asked for is down", loopback_down},
    {"loopback is up for a credential without capabilities", loopback_with_credential},
    {"the host's network devices are not in a new network namespace", host_network_invisible},
    {"host and domain name are set inside, the host's stay", names_inside},
    {"one name set leaves the other alone", one_name_only},
    {"a host name of 64 bytes arrives whole", longest_name},
    {"an option whose namespace is missing is refused, the host untouched", needs_refused},
    {"a cgroup namespace hides where the host put it", cgroup_root},
    {"a user namespace owns those that are made with it", user_owns_the_others},
};

int main(int argc, char **argv) {
    return tap_main(argc, argv, tests, COUNT(tests), NULL, 0);
}
