/* Binds: what of the host appears inside, what it may do there, and that a hostile link at a target leads nowhere. */

#define _GNU_SOURCE
#include "tap.h"

#include "poke.h"
#include "root.h"

/* The host's directory of these tests:
 *   file "text", exec (poke), dir/below "below"; with mounts: sub (a tmpfs) with sub/file "sub" */
static char source[64];

static void make_source(void) {
    snprintf(source, sizeof source, "%s", scratch_dir());
    ok(put_file(join(source, "file"), "text", 0666) && copy_file(poke_path(), join(source, "exec"), 0755)
           && mkdir(join(source, "dir"), 0755) == 0 && put_file(join(source, "dir/below"), "below", 0666)
           && mkdir(join(source, "sub"), 0755) == 0 && chmod(source, 0777) == 0,
       "a directory to be bound");
}

static void drop_source(void) {
    umount2(join(source, "sub"), MNT_DETACH);
    remove_dir(source);
}

/* In a child that may mount: runs the checks with a mount beneath the source, and takes all of it away again. */
static bool make_source_with_mount(void) {
    if (!become_mounter())
        return false;
    make_source();
    return ok(mount("tmpfs", join(source, "sub"), "tmpfs", 0, "mode=0777") == 0
                  && put_file(join(source, "sub/file"), "sub", 0666),
              "a mount beneath it");
}

/* The runner of a host that may mount itself. */
static runner_t *rooted_by_mounter(void) {
    runner_t *runner = rooted(0);
    runner_set_unshare_flags(runner, CLONE_NEWNS);
    return runner;
}

/* ------------------------------------------------------------------ read-only or not */

static void plain_bind(void) {
    make_source();
    runner_t *runner = rooted(0);
    runner_add_bind(runner, source, "/b", 0);
    inside(runner, {"flags /b", "rw,nosuid,nodev"}, {"cat /b/file", "text"}, {"create /b/made", "ok"},
           {"write /b/file TEXT", "ok"}, {"exec /b/exec exit 3", "exit 3"}, {"ls /b", "dir exec file made sub"});
    char text[16];
    ok(read_file(join(source, "file"), text, sizeof text) == 4 && strcmp(text, "TEXT") == 0, "the host sees the write");
    ok(exists(join(source, "made")), "the host sees the file");
    runner_free(runner);
    drop_source();
}

static const struct {
    const char *how;
    uint32_t bind;  /* RUNNER_BIND_*, or */
    uint64_t mount; /* MS_* of a raw mount */
} read_onlys[] = {
    {"a bind", RUNNER_BIND_RO, 0},
    {"a bind with what is beneath", RUNNER_BIND_RO | RUNNER_BIND_REC, 0},
    {"a bind with every flag", RUNNER_BIND_RO | RUNNER_BIND_REC | RUNNER_BIND_DEV | RUNNER_BIND_SUID, 0},
    {"a raw mount", 0, MS_BIND | MS_RDONLY},
    {"a raw mount with what is beneath", 0, MS_BIND | MS_REC | MS_RDONLY},
};

static void add_read_only(runner_t *runner, size_t i, const char *target) {
    int result = read_onlys[i].mount ? runner_add_mount(runner, source, target, NULL, read_onlys[i].mount, NULL)
                                     : runner_add_bind(runner, source, target, read_onlys[i].bind);
    ok_int(result, 0, "%s is taken", read_onlys[i].how);
}

/* As whoever starts it, root without any namespace of users too, for whom only the mount itself is in the way. */
static void really_read_only(void) {
    make_source();
    for (size_t i = 0; i < COUNT(read_onlys); i++) {
        runner_t *runner = rooted(0);
        add_read_only(runner, i, "/b");
        if (!inside(runner, {"create /b/made", "EROFS"}, {"write /b/file X", "EROFS"}, {"unlink /b/file", "EROFS"},
                    {"write /b/dir/below X", "EROFS"}, {"cat /b/dir/below", "below"}))
            diag("  that was: %s", read_onlys[i].how);
        runner_free(runner);
    }
    ok(!exists(join(source, "made")) && exists(join(source, "file")), "the host's files are as they were");
    drop_source();
}

static void read_only_beneath_checks(void) {
    if (!make_source_with_mount())
        return;
    for (size_t i = 0; i < COUNT(read_onlys); i++) {
        bool rec = read_onlys[i].bind & RUNNER_BIND_REC || read_onlys[i].mount & MS_REC;
        runner_t *runner = rooted_by_mounter();
        add_read_only(runner, i, "/b");
        bool good = rec ? inside(runner, {"cat /b/sub/file", "sub"}, {"write /b/sub/file X", "EROFS"},
                                 {"create /b/sub/made", "EROFS"}, {"create /b/made", "EROFS"})
                        : inside(runner, {"ls /b/sub", ""}, {"create /b/sub/made", "EROFS"});
        if (!good)
            diag("  that was: %s", read_onlys[i].how);
        runner_free(runner);
    }
    runner_t *runner = rooted_by_mounter();
    runner_add_bind(runner, source, "/b", RUNNER_BIND_REC);
    runner_add_mount(runner, source, "/raw", NULL, MS_BIND | MS_REC, NULL);
    inside(runner, {"create /b/sub/made", "ok"}, {"unlink /raw/sub/made", "ok"}, {"create /raw/made", "ok"});
    runner_free(runner);
    drop_source();
}

static void read_only_beneath(void) {
    in_child(read_only_beneath_checks);
}

/* The source's own mount stays as it is: only the copy is read-only. */
static void host_stays_writable_checks(void) {
    if (!make_source_with_mount())
        return;
    runner_t *runner = rooted_by_mounter();
    runner_add_bind(runner, source, "/b", RUNNER_BIND_RO | RUNNER_BIND_REC | RUNNER_BIND_NOEXEC);
    inside(runner, {"create /b/sub/made", "EROFS"});
    ok(put_file(join(source, "sub/file"), "more", 0666), "the host can still write beneath");
    ok(put_file(join(source, "file"), "more", 0666), "and to the source");
    runner_free(runner);
    drop_source();
}

static void host_stays_writable(void) {
    in_child(host_stays_writable_checks);
}

/* mount_namespaces(7): in a less privileged namespace a mount and what is mounted on it are one. */
static void inseparable_checks(void) {
    if (!make_source_with_mount())
        return;
    runner_t *runner = rooted_by_mounter();
    runner_set_unshare_flags(runner, CLONE_NEWNS | CLONE_NEWUSER);
    runner_add_bind(runner, source, "/b", RUNNER_BIND_RO);
    ok_refused(runner, RUNNER_STAGE_MOUNT, 1, EINVAL);
    ok(strstr(last_error.message, "RUNNER_BIND_REC") != NULL || strstr(last_error.message, "beneath") != NULL,
       "the message says what to do: %s", last_error.message);
    runner_clear_root(runner);
    runner_add_bind(runner, poke_path(), "/poke", RUNNER_BIND_RO);
    runner_add_bind(runner, source, "/b", RUNNER_BIND_RO | RUNNER_BIND_REC);
    inside(runner, {"cat /b/sub/file", "sub"}, {"create /b/sub/made", "EROFS"}, {"umount /b/sub", "EINVAL"});
    runner_free(runner);
    drop_source();
}

static void inseparable(void) {
    if (!have_userns())
        SKIP("no user namespaces");
    in_child(inseparable_checks);
}

/* ------------------------------------------------------------------ locked flags */

static const struct {
    unsigned long host; /* what the host's mount has */
    const char *want;   /* what it still has inside, read-only */
} locks[] = {
    {MS_NOSUID | MS_NODEV | MS_NOEXEC, "ro,nosuid,nodev,noexec"},
    {MS_NOEXEC | MS_NOATIME, "ro,nosuid,nodev,noexec,noatime"},
    {MS_NOSUID, "ro,nosuid,nodev"},
};

/* A remount that forgets them is refused by the kernel (EPERM), or worse, drops them. */
static void locked_flags_checks(void) {
    if (!become_mounter())
        return;
    for (size_t i = 0; i < COUNT(locks); i++) {
        make_source();
        ok_int(mount("tmpfs", join(source, "sub"), "tmpfs", locks[i].host, NULL), 0, "a mount with flags");
        runner_t *runner = rooted_by_mounter();
        runner_set_unshare_flags(runner, CLONE_NEWNS | CLONE_NEWUSER);
        runner_add_bind(runner, join(source, "sub"), "/b", RUNNER_BIND_RO);
        inside(runner, {"flags /b", locks[i].want}, {"create /b/x", "EROFS"});
        runner_free(runner);
        drop_source();
    }
}

static void locked_flags(void) {
    if (!have_userns())
        SKIP("no user namespaces");
    in_child(locked_flags_checks);
}

/* Whatever the flags ask for, what the host's mount forbids stays forbidden. */
static void locked_flags_asked_checks(void) {
    if (!become_mounter())
        return;
    make_source();
    const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY;
    ok_int(mount("tmpfs", join(source, "sub"), "tmpfs", flags, NULL), 0, "a mount with flags");
    for (int user = 0; user < 2; user++) {
        runner_t *runner = rooted_by_mounter();
        runner_set_unshare_flags(runner, CLONE_NEWNS | (user ? CLONE_NEWUSER : 0));
        runner_add_bind(runner, join(source, "sub"), "/b", RUNNER_BIND_SUID | RUNNER_BIND_DEV);
        runner_add_mount(runner, join(source, "sub"), "/raw", NULL, MS_BIND, NULL);
        runner_add_mount(runner, join(source, "sub"), "/ro", NULL, MS_BIND | MS_RDONLY, NULL);
        inside(runner, {"flags /b", "ro,nosuid,nodev,noexec"}, {"flags /raw", "ro,nosuid,nodev,noexec"},
               {"flags /ro", "ro,nosuid,nodev,noexec"});
        runner_free(runner);
    }
    drop_source();
}

static void locked_flags_asked(void) {
    if (!have_userns())
        SKIP("no user namespaces");
    in_child(locked_flags_asked_checks);
}

/* ------------------------------------------------------------------ what a bind may do */

static void optional(void) {
    make_source();
    runner_t *runner = rooted(0);
    ok_int(runner_add_bind(runner, join(source, "missing"), "/opt/missing", RUNNER_BIND_OPTIONAL), 0, "missing");
    ok_int(runner_add_bind(runner, join(source, "file/below"), "/gone", RUNNER_BIND_OPTIONAL), 0, "below a file");
    runner_add_bind(runner, join(source, "file"), "/there", RUNNER_BIND_OPTIONAL | RUNNER_BIND_RO);
    inside(runner, {"cat /there", "text"}, {"stat /opt/missing", "ENOENT"}, {"stat /gone", "ENOENT"});
    ok(put_file(join(source, "missing"), "appeared", 0644), "the source appears between two starts");
    inside(runner, {"cat /opt/missing", "appeared"});
    ok_int(unlink(join(source, "missing")), 0, "and goes");
    runner_add_bind(runner, join(source, "missing"), "/opt/missing", RUNNER_BIND_RO);
    ok_refused(runner, RUNNER_STAGE_MOUNT, 4, ENOENT);
    runner_free(runner);
    drop_source();
}

static void no_exec(void) {
    make_source();
    runner_t *runner = rooted(0);
    runner_add_bind(runner, source, "/b", RUNNER_BIND_NOEXEC);
    runner_add_bind(runner, source, "/c", 0);
    inside(runner, {"exec /b/exec exit 3", "EACCES\nexit 101"}, {"exec /c/exec exit 3", "exit 3"});
    runner_free(runner);
    drop_source();
}

static void devices(void) {
    runner_t *runner = rooted(0);
    runner_add_bind(runner, "/dev/null", "/null", 0);
    runner_add_bind(runner, "/dev/zero", "/zero", RUNNER_BIND_DEV);
    runner_add_bind(runner, "/dev/null", "/ro-null", RUNNER_BIND_DEV | RUNNER_BIND_RO);
    inside(runner, {"write /null x", "EACCES"}, {"readn /zero 4", "4 bytes, 4 zero"}, {"write /ro-null x", "ok"});
    runner_free(runner);
}

/* A copy of poke that is root's and has the set-user-ID bit. */
static void set_user_id(void) {
    if (!is_root())
        SKIP("a set-user-ID file of root needs root");
    make_source();
    ok(copy_file(poke_path(), join(source, "su"), 04755), "a set-user-ID program");
    runner_t *runner = rooted(0);
    runner_set_credential(runner, 1000, 1000, NULL, 0);
    runner_add_bind(runner, source, "/without", RUNNER_BIND_RO);
    runner_add_bind(runner, source, "/with", RUNNER_BIND_RO | RUNNER_BIND_SUID);
    inside(runner, {"exec /without/su ids", "uid 1000 1000 1000 1000 gid 1000 1000 1000 1000 groups\nexit 0"},
           {"exec /with/su ids", "uid 1000 0 0 0 gid 1000 1000 1000 1000 groups\nexit 0"});
    runner_free(runner);
    drop_source();
}

/* ------------------------------------------------------------------ targets */

static void files_and_directories(void) {
    char relative[PATH_MAX];
    make_source();
    runner_t *runner = rooted(0);
    snprintf(relative, sizeof relative, "%s/dir/../file", source);
    runner_add_bind(runner, join(source, "file"), "/a/b/c/file", RUNNER_BIND_RO);
    runner_add_bind(runner, source, "no/slash", RUNNER_BIND_RO);
    runner_add_bind(runner, relative, "///many//slashes/", RUNNER_BIND_RO);
    runner_add_mount(runner, join(source, "file"), "/raw/file", NULL, MS_BIND, NULL);
    runner_add_file(runner, "/there", "covered", 7, 0644);
    runner_add_bind(runner, join(source, "file"), "/there", RUNNER_BIND_RO);
    inside(runner, {"cat /a/b/c/file", "text"}, {"stat /a/b/c", "dir 0755 0:0"}, {"cat /no/slash/file", "text"},
           {"cat /many/slashes", "text"}, {"cat /raw/file", "text"}, {"cat /there", "text"},
           {"write /a/b/c/file X", "EROFS"}, {"write /raw/file text", "ok"});
    runner_free(runner);
    drop_source();
}

static void relative_source_checks(void) {
    make_source();
    ok_int(chdir(source), 0, "the host's working directory");
    runner_t *runner = rooted(0);
    runner_add_bind(runner, "file", "/b", RUNNER_BIND_RO);
    runner_add_bind(runner, "dir/..", "/c", RUNNER_BIND_RO);
    runner_add_mount(runner, "dir", "/d", NULL, MS_BIND, NULL);
    inside(runner, {"cat /b", "text"}, {"cat /c/file", "text"}, {"cat /d/below", "below"});
    runner_free(runner);
    drop_source();
}

static void relative_source(void) {
    in_child(relative_source_checks);
}

/* A link as the source is followed in the host, as mount(2) does. */
static void link_source(void) {
    make_source();
    ok_int(symlink("dir/below", join(source, "link")), 0, "a link");
    runner_t *runner = rooted(0);
    runner_add_bind(runner, join(source, "link"), "/b", RUNNER_BIND_RO);
    inside(runner, {"cat /b", "below"});
    runner_free(runner);
    drop_source();
}

static void target_in_read_only(void) {
    make_source();
    runner_t *runner = rooted(0);
    runner_add_bind(runner, source, "/b", RUNNER_BIND_RO);
    runner_add_tmpfs(runner, "/b/dir", 0, 0755);
    inside(runner, {"create /b/dir/x", "ok"}, {"create /b/x", "EROFS"});
    runner_add_tmpfs(runner, "/b/new", 0, 0755);
    ok_refused(runner, RUNNER_STAGE_MKDIR, 3, EROFS);
    ok(!exists(join(source, "new")), "nothing is made in the host");
    runner_free(runner);
    drop_source();
}

/* ------------------------------------------------------------------ hostile links */

/* What stands in a directory that the program of an earlier run could write to. `victim` is the host's. */
static char victim[64];

static void make_hostile(void) {
    char up[256];
    make_source();
    snprintf(victim, sizeof victim, "%s", scratch_dir());
    chmod(victim, 0777);
    snprintf(up, sizeof up, "../../../../../../../..%s", victim);
    ok(symlink(victim, join(source, "absolute")) == 0 && symlink(up, join(source, "relative")) == 0
           && symlink(join(victim, "leaf"), join(source, "leaf")) == 0 && symlink("..", join(source, "up")) == 0
           && symlink("absolute", join(source, "twice")) == 0,
       "hostile links");
}

static void drop_hostile(void) {
    remove_dir(victim);
    drop_source();
}

static bool victim_untouched(void) {
    return rmdir(victim) == 0 && mkdir(victim, 0777) == 0;
}

static void hostile_dir(runner_t *r, const char *target) { runner_add_dir(r, target, 0755); }
static void hostile_file(runner_t *r, const char *target) { runner_add_file(r, target, "x", 1, 0644); }
static void hostile_link(runner_t *r, const char *target) { runner_add_symlink(r, "x", target); }
static void hostile_tmpfs(runner_t *r, const char *target) { runner_add_tmpfs(r, target, 0, 0755); }
static void hostile_bind(runner_t *r, const char *target) { runner_add_bind(r, poke_path(), target, 0); }
static void hostile_bind_dir(runner_t *r, const char *target) { runner_add_bind(r, "/etc", target, RUNNER_BIND_REC); }
static void hostile_raw(runner_t *r, const char *target) { runner_add_mount(r, "tmpfs", target, "tmpfs", 0, NULL); }
static void hostile_raw_bind(runner_t *r, const char *target) {
    runner_add_mount(r, poke_path(), target, NULL, MS_BIND, NULL);
}
static void hostile_dev(runner_t *r, const char *target) { runner_add_dev(r, target); }
static void hostile_proc(runner_t *r, const char *target) { runner_add_proc(r, target, 0); }

static void (*const hostile_pieces[])(runner_t *, const char *) = {
    hostile_dir, hostile_file, hostile_link,     hostile_tmpfs, hostile_bind,
    hostile_raw, hostile_dev,  hostile_raw_bind, hostile_proc,  hostile_bind_dir,
};
static const char *const hostile_targets[] = {
    "/b/absolute",      "/b/relative",      "/b/twice",      "/b/leaf",          "/b/absolute/made",
    "/b/relative/made", "/b/twice/made/in", "/b/leaf/made",
};

/* The start may go well, with what was made inside the new root, or fail with the piece's number; the host's
 * directory is never touched. */
static void hostile_one(size_t piece, const char *target) {
    runner_t *runner = rooted(CLONE_NEWPID);
    runner_add_bind(runner, source, "/b", 0);
    hostile_pieces[piece](runner, target);
    set_pokes(runner, "/poke", &(struct poke){"exit 0", NULL}, 1);
    int result = run(runner);
    ok(exited(result, 0) || (result < 0 && last_error.index == 2 && last_error.stage >= RUNNER_STAGE_MOUNT
                             && last_error.stage <= RUNNER_STAGE_SYMLINK),
       "piece kind %zu at %s is put inside or refused by its number: %d, stage %s[%d]", piece, target, result,
       runner_stage_name(last_error.stage), last_error.index);
    ok(victim_untouched(), "piece kind %zu at %s made nothing in the host", piece, target);
    runner_free(runner);
}

static void hostile_targets_checks(void) {
    make_hostile();
    for (size_t piece = 0; piece < COUNT(hostile_pieces); piece++)
        for (size_t i = 0; i < COUNT(hostile_targets); i++)
            hostile_one(piece, hostile_targets[i]);
    drop_hostile();
}

/* What is mounted through a link is inside the new root, at the place that the link names there. */
static void links_stay_inside(void) {
    runner_probe_t probe = RUNNER_PROBE_INIT;
    runner_probe(&probe);
    if (!probe.mount_setattr)
        SKIP("before Linux 5.12 links are refused, not followed");
    make_hostile();
    ok_int(symlink("/etc", join(source, "etc")), 0, "x -> /etc");
    ok_int(symlink("../../..", join(source, "top")), 0, "x -> ../../..");
    runner_t *runner = rooted(0);
    runner_add_dir(runner, "/etc", 0755);
    runner_add_bind(runner, source, "/b", 0);
    runner_add_dir(runner, "/b/etc/made-by-a-test", 0711);
    runner_add_file(runner, "/b/top/made-by-a-test", "inside", 6, 0644);
    runner_add_tmpfs(runner, "/b/etc/scratch", 0, 0700);
    inside(runner, {"stat /etc/made-by-a-test", "dir 0711 0:0"}, {"cat /made-by-a-test", "inside"},
           {"stat /etc/scratch", "dir 0700 0:0"}, {"ls /", "b etc made-by-a-test poke"});
    ok(!exists("/etc/made-by-a-test") && !exists("/etc/scratch") && !exists("/made-by-a-test"), "the host has none");
    runner_free(runner);
    drop_hostile();
}

/* The same by plain calls, as a launcher without care does it: it has to reach the host, else the links are dull. */
static void careless_checks(void) {
    char path[128];
    if (!become_mounter())
        return;
    make_hostile();
    snprintf(path, sizeof path, "%s/b", pivot_dir);
    ok(mount("tmpfs", pivot_dir, "tmpfs", 0, NULL) == 0 && mkdir(path, 0755) == 0
           && mount(source, path, NULL, MS_BIND, NULL) == 0,
       "a root, half made");
    ok_int(mkdir(join(path, "absolute/made"), 0755), 0, "mkdir through the absolute link");
    ok(exists(join(victim, "made")), "control: it is in the host");
    rmdir(join(victim, "made"));
    ok_int(mkdir(join(path, "relative/made"), 0755), 0, "mkdir through the relative link");
    ok(!victim_untouched(), "control: the check sees it");
    rmdir(join(victim, "made"));
    ok(put_file(join(path, "leaf"), "x", 0644) && exists(join(victim, "leaf")), "control: a file through a link");
    drop_hostile();
}

static void careless(void) {
    in_child(careless_checks);
}

/* /proc/self/root of the process that is still building its root is the host's root: a magic link, not a path. */
static void magic_links(void) {
    char target[PATH_MAX];
    make_hostile();
    for (size_t i = 0; i < COUNT(hostile_pieces); i++) {
        runner_t *runner = rooted(CLONE_NEWPID);
        runner_add_proc(runner, "/proc", 0);
        snprintf(target, sizeof target, "/proc/self/root%s/made", victim);
        hostile_pieces[i](runner, target);
        set_pokes(runner, "/poke", &(struct poke){"exit 0", NULL}, 1);
        ok(run(runner) < 0, "piece kind %zu through /proc/self/root is refused", i);
        ok_int(last_error.index, 2, "by its number");
        ok(victim_untouched(), "piece kind %zu made nothing in the host", i);
        runner_free(runner);
    }
    drop_hostile();
}

static const struct test tests[] = {
    {"a bind without flags is writable, nosuid, nodev", plain_bind},
    {"a read-only bind is really read-only, raw MS_BIND|MS_RDONLY too", really_read_only},
    {"a read-only bind is read-only beneath too, where it is recursive", read_only_beneath},
    {"a read-only bind leaves the host's own mount writable", host_stays_writable},
    {"in a user namespace mounts beneath a source cannot be left out, and the error says so", inseparable},
    {"a read-only bind in a user namespace keeps the locked flags of its source", locked_flags},
    {"no flag takes away what the source's mount forbids", locked_flags_asked},
    {"an optional bind is skipped where its source is missing, and only then", optional},
    {"noexec: nothing beneath can be executed", no_exec},
    {"device files work with the flag and not without", devices},
    {"set-user-ID bits work with the flag and not without", set_user_id},
    {"files and directories, missing parts made, slashes do not matter", files_and_directories},
    {"a relative source starts at the host's working directory", relative_source},
    {"a link as source is followed in the host", link_source},
    {"a target in a read-only bind: existing parts work, missing ones are an error", target_in_read_only},
    {"control: plain calls through the hostile links reach the host", careless},
    {"no piece at or through a hostile link reaches the host", hostile_targets_checks},
    {"links on the way to a target lead inside the new root", links_stay_inside},
    {"no piece goes through a magic link of /proc", magic_links},
};

int main(int argc, char **argv) {
    return root_main(argc, argv, tests, COUNT(tests));
}
