/* User and group ids: the maps of a user namespace, and the credential, with nothing of the caller's left over. */

#define _GNU_SOURCE
#include "tap.h"

#include "poke.h"
#include <grp.h>
#include <sys/prctl.h>

/* An ordinary user for the tests that root runs. */
enum { NOBODY = 65534 };

static uint64_t userns(void) {
    return CLONE_NEWUSER;
}

/* "         0      65534          1" as the kernel pads it, made "0 65534 1" a line. */
static const char *map_of(pid_t pid, const char *what) {
    static char text[4096];
    char *out = text;
    bool blank = true;
    for (const char *in = proc_text(pid, what); *in; in++) {
        bool space = *in == ' ';
        if (!space)
            *out++ = *in;
        else if (!blank)
            *out++ = ' ';
        blank = space || *in == '\n';
    }
    *out = '\0';
    return text;
}

/* Checks a map of the running program: `want` is printf-like. */
static void ok_map(pid_t pid, const char *what, const char *want) {
    ok_str(map_of(pid, what), want, "/proc/PID/%s", what);
}

static const char *text_of(const char *format, ...) {
    static _Thread_local char texts[4][256];
    static _Thread_local unsigned next;
    char *text = texts[next++ % COUNT(texts)];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof texts[0], format, args);
    va_end(args);
    return text;
}

/* ------------------------------------------------------------------ maps */

static void default_map(void) {
    if (!have_userns())
        SKIP("no user namespaces");
    runner_t *runner = poke("pause");
    runner_set_unshare_flags(runner, userns());
    pid_t pid = start(runner);
    ok(pid > 0, "starts");
    ok_map(pid, "uid_map", text_of("0 %u 1", geteuid()));
    ok_map(pid, "gid_map", text_of("0 %u 1", getegid()));
    ok_str(proc_text(pid, "setgroups"), "deny", "/proc/PID/setgroups");
    ok_str(status_line(pid, "Uid"), text_of("%u %u %u %u", geteuid(), geteuid(), geteuid(), geteuid()),
           "seen from the host it is the caller");
    end_of(pid);
    expect(runner, {"status Uid", "0 0 0 0"}, {"status Gid", "0 0 0 0"}, {"setgroups 0", "EPERM"});
    runner_free(runner);
}

/* The map names the effective id, which alone may write it. */
static void effective_id_checks(void) {
    ok_int(setgroups(0, NULL) | setresgid(-1, 4321, -1) | setresuid(-1, 4321, -1), 0, "an effective id of its own");
    /* A change of ids makes /proc/self root's (proc_pid(5)); this host has dealt with that. */
    prctl(PR_SET_DUMPABLE, 1);
    runner_t *runner = poke("pause");
    runner_set_unshare_flags(runner, userns());
    pid_t pid = start(runner);
    ok(pid > 0, "starts");
    ok_map(pid, "uid_map", "0 4321 1");
    ok_map(pid, "gid_map", "0 4321 1");
    end_of(pid);
    runner_free(runner);
}

static void effective_id(void) {
    if (!is_root())
        SKIP("needs root to have an effective id apart from the real one");
    in_child(effective_id_checks);
}

static void single_map(void) {
    if (!have_userns())
        SKIP("no user namespaces");
    runner_t *runner = poke("pause");
    runner_set_unshare_flags(runner, userns());
    ok_int(runner_add_uid_mapping(runner, 1000, geteuid(), 1), 0, "uid mapping");
    ok_int(runner_add_gid_mapping(runner, 2000, getegid(), 1), 0, "gid mapping");
    pid_t pid = start(runner);
    ok(pid > 0, "starts");
    ok_map(pid, "uid_map", text_of("1000 %u 1", geteuid()));
    ok_map(pid, "gid_map", text_of("2000 %u 1", getegid()));
    end_of(pid);
    expect(runner, {"status Uid", "1000 1000 1000 1000"}, {"status Gid", "2000 2000 2000 2000"});
    runner_free(runner);
}

/* A map of one kind alone: the other is the default. */
static void one_kind_of_map(void) {
    if (!have_userns())
        SKIP("no user namespaces");
    runner_t *runner = poke("pid");
    runner_set_unshare_flags(runner, userns());
    runner_add_uid_mapping(runner, 77, geteuid(), 1);
    expect(runner, {"status Uid", "77 77 77 77"}, {"status Gid", "0 0 0 0"});
    ok_int(runner_clear_mappings(runner), 0, "clear");
    runner_add_gid_mapping(runner, 88, getegid(), 1);
    expect(runner, {"status Uid", "0 0 0 0"}, {"status Gid", "88 88 88 88"});
    runner_free(runner);
}

static void add_extents(runner_t *runner) {
    runner_add_uid_mapping(runner, 0, 100000, 10);
    runner_add_uid_mapping(runner, 10, 200000, 5);
    runner_add_uid_mapping(runner, 5000, 0, 1);
    runner_add_gid_mapping(runner, 0, 300000, 1);
    runner_add_gid_mapping(runner, 1, 400000, 50);
}

static void several_extents(void) {
    if (!is_root())
        SKIP("needs root");
    runner_t *runner = poke("pause");
    runner_set_unshare_flags(runner, userns());
    add_extents(runner);
    runner_set_credential(runner, 12, 7, (uint32_t[]){1, 9}, 2);
    pid_t pid = start(runner);
    ok(pid > 0, "starts");
    ok_map(pid, "uid_map", "0 100000 10\n10 200000 5\n5000 0 1");
    ok_map(pid, "gid_map", "0 300000 1\n1 400000 50");
    ok_str(status_line(pid, "Uid"), "200002 200002 200002 200002", "12 inside, from outside");
    ok_str(status_line(pid, "Gid"), "400006 400006 400006 400006", "7 inside, from outside");
    ok_str(status_line(pid, "Groups"), "400000 400008", "1 and 9 inside, from outside");
    end_of(pid);
    expect(runner, {"ids", "uid 12 12 12 12 gid 7 7 7 7 groups 1 9"});
    runner_free(runner);
}

/* As many lines as the kernel takes: five of them are kept apart from the rest by it (Linux 4.15). */
static void most_extents(void) {
    if (!is_root())
        SKIP("needs root");
    runner_t *runner = poke("pause");
    runner_set_unshare_flags(runner, userns());
    for (uint32_t i = 0; i < 340; i++)
        ok_int(runner_add_uid_mapping(runner, i * 2, 1000 + i * 3, 1), 0, "line %u", i);
    ok_int(runner_add_uid_mapping(runner, 900, 900, 1), -EINVAL, "a line too many");
    runner_set_credential(runner, 678, 0, NULL, 0);
    pid_t pid = start(runner);
    ok(pid > 0, "starts");
    ok_int(lines_in(map_of(pid, "uid_map")), 340, "lines of the map");
    ok_str(status_line(pid, "Uid"), "2017 2017 2017 2017", "the last line counts");
    end_of(pid);
    runner_free(runner);
}

static void bad_map_fails(const struct runner_t *runner, int index, int err) {
    struct counts before = counts_now();
    ok_failed(run(runner), RUNNER_STAGE_ID_MAP, index, err);
    ok_nothing_left(before);
}

static void foreign_map_checks(void) {
    if (geteuid() == 0)
        ok_int(setgroups(0, NULL) | setresgid(NOBODY, NOBODY, NOBODY) | setresuid(NOBODY, NOBODY, NOBODY), 0,
               "becomes an ordinary user");
    prctl(PR_SET_DUMPABLE, 1);
    runner_t *runner = poke("pid");
    runner_set_unshare_flags(runner, userns());
    runner_add_uid_mapping(runner, 0, 12345, 1);
    bad_map_fails(runner, 0, EPERM);
    runner_clear_mappings(runner);
    runner_add_gid_mapping(runner, 0, 12345, 1);
    bad_map_fails(runner, 0, EPERM);
    runner_clear_mappings(runner);
    runner_add_uid_mapping(runner, 0, geteuid(), 1);
    runner_add_gid_mapping(runner, 0, getegid(), 1);
    expect(runner, {"status Uid", "0 0 0 0"});
    runner_free(runner);
}

/* user_namespaces(7): an ordinary user may map himself alone. */
static void foreign_map(void) {
    if (!have_userns())
        SKIP("no user namespaces");
    in_child(foreign_map_checks);
}

static void overlapping_map(void) {
    if (!is_root())
        SKIP("needs root");
    runner_t *runner = poke("pid");
    runner_set_unshare_flags(runner, userns());
    runner_add_uid_mapping(runner, 0, 100000, 10);
    runner_add_uid_mapping(runner, 5, 200000, 10);
    int result = run(runner);
    ok(result == -EINVAL && last_error.stage == RUNNER_STAGE_ID_MAP, "refused at the map: %d, stage %s", result,
       runner_stage_name(last_error.stage));
    ok(last_error.index == 0 || last_error.index == 1, "it names a line of the map: %d", last_error.index);
    runner_free(runner);
}

static void setgroups_allowed(void) {
    if (!is_root())
        SKIP("needs root");
    runner_t *runner = poke("pause");
    runner_set_unshare_flags(runner, userns());
    ok_int(runner_set_allow_setgroups(runner, true), 0, "allow");
    pid_t pid = start(runner);
    ok_str(proc_text(pid, "setgroups"), "allow", "/proc/PID/setgroups");
    end_of(pid);
    expect(runner, {"setgroups 0", "ok"});
    ok_int(runner_set_allow_setgroups(runner, false), 0, "deny");
    pid = start(runner);
    ok_str(proc_text(pid, "setgroups"), "deny", "/proc/PID/setgroups");
    end_of(pid);
    expect(runner, {"setgroups 0", "EPERM"});
    runner_free(runner);
}

static void setgroups_refused_checks(void) {
    if (geteuid() == 0)
        ok_int(setgroups(0, NULL) | setresgid(NOBODY, NOBODY, NOBODY) | setresuid(NOBODY, NOBODY, NOBODY), 0,
               "becomes an ordinary user");
    prctl(PR_SET_DUMPABLE, 1);
    runner_t *runner = poke("pid");
    runner_set_unshare_flags(runner, userns());
    runner_set_allow_setgroups(runner, true);
    int result = run(runner);
    ok(result == -EPERM && last_error.stage == RUNNER_STAGE_ID_MAP && last_error.message[0],
       "an ordinary user may not allow it: %d, stage %s", result, runner_stage_name(last_error.stage));
    runner_free(runner);
}

static void setgroups_refused(void) {
    if (!have_userns())
        SKIP("no user namespaces");
    in_child(setgroups_refused_checks);
}

/* As in a rootless container: setgroups is denied in the user namespace that the host is in. */
static bool put(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool written = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    close(fd);
    return written;
}

static void setgroups_denied_around_checks(void) {
    char uid_line[32], gid_line[32];
    snprintf(uid_line, sizeof uid_line, "0 %u 1", geteuid());
    snprintf(gid_line, sizeof gid_line, "0 %u 1", getegid());
    ok_int(unshare(CLONE_NEWUSER), 0, "a user namespace around the host");
    ok(put("/proc/self/setgroups", "deny") && put("/proc/self/uid_map", uid_line) &&
           put("/proc/self/gid_map", gid_line),
       "denied there");
    runner_t *runner = poke("pid");
    runner_set_unshare_flags(runner, userns());
    ok(run(runner) >= 0, "control: a start that does not ask for it");
    runner_set_allow_setgroups(runner, true);
    int result = run(runner);
    ok(result == -EPERM && last_error.stage == RUNNER_STAGE_ID_MAP && strstr(last_error.message, "denied in the host's"),
       "it cannot be allowed, and that is said: %d, %s", result, last_error.message);
    runner_free(runner);
}

static void setgroups_denied_around(void) {
    if (!have_userns())
        SKIP("no user namespaces");
    in_child(setgroups_denied_around_checks);
}

/* ------------------------------------------------------------------ the credential */

/* The host of these checks has groups to leak. */
static void credential_checks(void) {
    gid_t groups[] = {0, 5, 7};
    ok_int(setgroups(3, groups), 0, "root has groups");
    runner_t *runner = poke("ids");
    expect(runner, {"ids", "uid 0 0 0 0 gid 0 0 0 0 groups 0 5 7"});
    runner_set_credential(runner, 1000, 1001, NULL, 0);
    expect(runner, {"ids", "uid 1000 1000 1000 1000 gid 1001 1001 1001 1001 groups"},
           {"setuid 0", "EPERM"}, {"setgid 0", "EPERM"}, {"setgroups 5", "EPERM"},
           {"status CapEff", "0000000000000000"}, {"status CapPrm", "0000000000000000"}, {"keepcaps", "0"});
    runner_set_credential(runner, 1000, 1001, (uint32_t[]){44, 2, 3}, 3);
    expect(runner, {"ids", "uid 1000 1000 1000 1000 gid 1001 1001 1001 1001 groups 2 3 44"});
    ok_int(runner_clear_credential(runner), 0, "clear");
    expect(runner, {"ids", "uid 0 0 0 0 gid 0 0 0 0 groups 0 5 7"});
    runner_free(runner);
}

static void credential(void) {
    if (!is_root())
        SKIP("needs root");
    in_child(credential_checks);
}

static void most_groups(void) {
    static uint32_t groups[65536];
    if (!is_root())
        SKIP("needs root");
    for (uint32_t i = 0; i < 65536; i++)
        groups[i] = i + 10;
    runner_t *runner = poke("pause");
    ok_int(runner_set_credential(runner, 1000, 1000, groups, 65536), 0, "65536 groups are taken");
    pid_t pid = start(runner);
    ok(pid > 0, "starts");
    ok(strncmp(status_line(pid, "Groups"), "10 11 12", 8) == 0, "they arrive");
    end_of(pid);
    runner_free(runner);
}

/* Ids of 32 bits, not of 16 or 31. */
static void largest_ids(void) {
    if (!is_root())
        SKIP("needs root");
    runner_t *runner = poke("pid");
    runner_set_credential(runner, 4294967294u, 4294967294u, (uint32_t[]){4294967294u}, 1);
    expect(runner, {"status Uid", "4294967294 4294967294 4294967294 4294967294"},
           {"status Groups", "4294967294"});
    runner_free(runner);
}

/* The root of a user namespace, with groups: setgroups has to be left allowed for it. */
static void inside_userns_checks(void) {
    gid_t groups[] = {0, 5, 7};
    ok_int(setgroups(3, groups), 0, "root has groups");
    runner_t *runner = poke("ids");
    runner_set_unshare_flags(runner, userns());
    expect(runner, {"ids", "uid 0 0 0 0 gid 0 0 0 0 groups 0 65534 65534"});
    runner_set_credential(runner, 0, 0, NULL, 0);
    expect(runner, {"ids", "uid 0 0 0 0 gid 0 0 0 0 groups"});
    runner_set_credential(runner, 0, 0, (uint32_t[]){0}, 1);
    expect(runner, {"ids", "uid 0 0 0 0 gid 0 0 0 0 groups 0"});
    runner_add_uid_mapping(runner, 0, 100000, 65536);
    runner_add_gid_mapping(runner, 0, 100000, 65536);
    runner_set_credential(runner, 33, 34, NULL, 0);
    expect(runner, {"ids", "uid 33 33 33 33 gid 34 34 34 34 groups"});
    runner_free(runner);
}

static void inside_userns(void) {
    if (!is_root())
        SKIP("needs root");
    in_child(inside_userns_checks);
}

/* An ordinary user with a group that he cannot get rid of: a start that left it would be a leak. */
static void ordinary_checks(void) {
    gid_t group = 5;
    ok_int(setgroups(1, &group) | setresgid(NOBODY, NOBODY, NOBODY) | setresuid(NOBODY, NOBODY, NOBODY), 0,
           "becomes an ordinary user in a group");
    prctl(PR_SET_DUMPABLE, 1);
    runner_t *runner = poke("ids");
    runner_set_credential(runner, NOBODY, NOBODY, NULL, 0);
    ok_failed(run(runner), RUNNER_STAGE_SETGROUPS, -1, EPERM);
    runner_set_unshare_flags(runner, userns());
    runner_set_credential(runner, 0, 0, NULL, 0);
    ok_failed(run(runner), RUNNER_STAGE_SETGROUPS, -1, EPERM);
    runner_clear_credential(runner);
    expect(runner, {"ids", "uid 0 0 0 0 gid 0 0 0 0 groups 65534"});
    runner_free(runner);
}

static void ordinary_user(void) {
    if (!is_root())
        SKIP("needs root to get groups");
    in_child(ordinary_checks);
}

static void ordinary_other_id_checks(void) {
    if (geteuid() == 0)
        ok_int(setgroups(0, NULL) | setresgid(NOBODY, NOBODY, NOBODY) | setresuid(NOBODY, NOBODY, NOBODY), 0,
               "becomes an ordinary user");
    runner_t *runner = poke("ids");
    runner_set_credential(runner, 0, 0, NULL, 0);
    int result = run(runner);
    ok(result == -EPERM && last_error.message[0], "an ordinary user cannot become root: %d", result);
    ok(last_error.stage == RUNNER_STAGE_SETGROUPS || last_error.stage == RUNNER_STAGE_SETGID
           || last_error.stage == RUNNER_STAGE_SETUID,
       "the error says at which of the ids: %s", runner_stage_name(last_error.stage));
    runner_free(runner);
}

static void ordinary_other_id(void) {
    in_child(ordinary_other_id_checks);
}

static void unmapped(void) {
    static const struct {
        uint32_t uid, gid, group;
        uint32_t stage;
    } rows[] = {
        {50, 5, 5, RUNNER_STAGE_SETUID},
        {5, 50, 5, RUNNER_STAGE_SETGID},
        {5, 5, 50, RUNNER_STAGE_SETGROUPS},
    };
    if (!is_root())
        SKIP("needs root");
    runner_t *runner = poke("ids");
    runner_set_unshare_flags(runner, userns());
    runner_add_uid_mapping(runner, 0, 100000, 10);
    runner_add_gid_mapping(runner, 0, 100000, 10);
    for (size_t i = 0; i < COUNT(rows); i++) {
        runner_set_credential(runner, rows[i].uid, rows[i].gid, &rows[i].group, 1);
        ok_failed(run(runner), rows[i].stage, -1, EINVAL);
    }
    runner_set_credential(runner, 5, 5, (uint32_t[]){5}, 1);
    expect(runner, {"ids", "uid 5 5 5 5 gid 5 5 5 5 groups 5"});
    runner_free(runner);
}

/* ------------------------------------------------------------------ whose files */

/* The directory that the roots are mounted over. */
static char pivot_dir[64];

static runner_t *rooted(uint64_t flags) {
    runner_t *runner = poke("ids");
    runner_set_unshare_flags(runner, CLONE_NEWNS | flags);
    runner_set_pivot_root(runner, pivot_dir);
    runner_set_root_writable(runner, true);
    runner_add_bind(runner, poke_path(), "/poke", RUNNER_BIND_RO);
    runner_add_tmpfs(runner, "/scratch", 1 << 20, 0700);
    runner_add_dir(runner, "/box", 0700);
    runner_add_file(runner, "/etc/note", "x", 1, 0600);
    return runner;
}

/* Without privileges, so that "ok" shows that it owns them. */
static void files_of_credential(void) {
    if (!is_root())
        SKIP("needs root");
    runner_t *runner = rooted(0);
    runner_set_credential(runner, 1000, 1001, NULL, 0);
    expect_at(runner, "/poke", {"create /scratch/x", "ok"}, {"create /box/x", "ok"}, {"cat /etc/note", "x"},
              {"stat /scratch/x", "file 0644 1000:1001"}, {"stat /box/x", "file 0644 1000:1001"},
              {"stat /scratch", "dir 0700 1000:1001"}, {"stat /box", "dir 0700 1000:1001"},
              {"stat /etc/note", "file 0600 1000:1001"});
    runner_free(runner);
}

static void files_in_userns(void) {
    if (!is_root())
        SKIP("needs root");
    runner_t *runner = rooted(userns());
    runner_add_uid_mapping(runner, 0, 100000, 2000);
    runner_add_gid_mapping(runner, 0, 100000, 2000);
    runner_set_credential(runner, 1000, 1001, NULL, 0);
    runner_set_umask(runner, 0022);
    expect_at(runner, "/poke", {"create /scratch/x", "ok"}, {"stat /scratch/x", "file 0644 1000:1001"},
              {"stat /scratch", "dir 0700 1000:1001"}, {"stat /box", "dir 0700 1000:1001"},
              {"stat /etc/note", "file 0600 1000:1001"});
    runner_free(runner);
}

static void files_of_default_map(void) {
    if (!have_userns())
        SKIP("no user namespaces");
    runner_t *runner = rooted(userns());
    expect_at(runner, "/poke", {"create /scratch/x", "ok"}, {"stat /scratch", "dir 0700 0:0"},
              {"stat /box", "dir 0700 0:0"}, {"stat /etc/note", "file 0600 0:0"});
    runner_free(runner);
}

/* ------------------------------------------------------------------ a host in a namespace of its own */

static bool write_own(const char *name, const char *text) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/%s", name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    close(fd);
    return good;
}

static void nested_checks(void) {
    unsigned uid = geteuid(), gid = getegid();
    ok_int(unshare(CLONE_NEWUSER), 0, "the host moves into a user namespace");
    ok(write_own("setgroups", "deny"), "no setgroups in it");
    ok(write_own("uid_map", text_of("3 %u 1", uid)) && write_own("gid_map", text_of("4 %u 1", gid)), "it maps itself");
    runner_t *runner = poke("pid");
    runner_set_unshare_flags(runner, userns() | CLONE_NEWNS | CLONE_NEWUTS);
    runner_set_hostname(runner, "inner");
    expect(runner, {"status Uid", "0 0 0 0"}, {"status Gid", "0 0 0 0"});
    runner_add_uid_mapping(runner, 8, 3, 1);
    runner_add_gid_mapping(runner, 9, 4, 1);
    expect(runner, {"status Uid", "8 8 8 8"}, {"status Gid", "9 9 9 9"});
    runner_free(runner);
}

static void nested(void) {
    if (!have_userns())
        SKIP("no user namespaces");
    in_child(nested_checks);
}

static const struct test tests[] = {
    {"default map: 0 inside is the caller, setgroups denied", default_map},
    {"default map: it is the effective id", effective_id},
    {"one explicit line for each kind", single_map},
    {"a map of one kind leaves the other at its default; clear forgets", one_kind_of_map},
    {"several extents, as root, with a credential and groups in them", several_extents},
    {"340 lines of a map, the last one counts", most_extents},
    {"an ordinary user cannot map an id that is not his own", foreign_map},
    {"an overlapping map is refused by its stage and line", overlapping_map},
    {"setgroups allowed or denied is what /proc shows and setgroups(2) does", setgroups_allowed},
    {"an ordinary user cannot allow setgroups", setgroups_refused},
    {"setgroups that is denied around the host would stay so unseen", setgroups_denied_around},
    {"credential: all ids, groups exactly these, none of root's left, no way back", credential},
    {"credential: 65536 groups", most_groups},
    {"credential: the largest id", largest_ids},
    {"credential in a user namespace: root's groups do not get in", inside_userns},
    {"credential as an ordinary user with a group is refused, not run with the group", ordinary_user},
    {"credential as an ordinary user: another id is refused", ordinary_other_id},
    {"credential that the maps do not know: the stage says which id", unmapped},
    {"what is made in the root belongs to the credential", files_of_credential},
    {"what is made in the root belongs to the credential in a user namespace", files_in_userns},
    {"what is made in the root belongs to 0 of the default map", files_of_default_map},
    {"a host inside a user namespace starts another one", nested},
};

int main(int argc, char **argv) {
    snprintf(pivot_dir, sizeof pivot_dir, "%s", scratch_dir());
    int result = tap_main(argc, argv, tests, COUNT(tests), NULL, 0);
    remove_dir(pivot_dir);
    return result;
}
