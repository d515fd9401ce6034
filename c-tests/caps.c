/* Capabilities: dropped ones are gone from all five sets and do not come back, kept ones are exactly those asked for
 * and can be used, and no_new_privs holds. */

#define _GNU_SOURCE
#include "tap.h"

#include "poke.h"
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/xattr.h>

#define NONE "inh 0 prm 0 eff 0 bnd 0 amb 0"

static uint64_t bit(int cap) {
    return UINT64_C(1) << cap;
}

/* What poke's `caps` prints where all five sets are `mask`. */
static const char *all_sets(uint64_t mask) {
    static _Thread_local char text[160];
    unsigned long long m = mask;
    snprintf(text, sizeof text, "inh %llx prm %llx eff %llx bnd %llx amb %llx", m, m, m, m, m);
    return text;
}

static const char *answer(runner_t *runner, const char *op) {
    static char output[4096];
    set_pokes(runner, poke_path(), &(struct poke){op, NULL}, 1);
    ok(exited(run_output(runner, output, sizeof output), 0), "poke \"%s\" runs", op);
    output[strcspn(output, "\n")] = '\0';
    return output;
}

static unsigned securebits(runner_t *runner) {
    return (unsigned)strtoul(answer(runner, "securebits"), NULL, 16);
}

/* SECBIT_NOROOT and its lock: linux/securebits.h. */
enum { NOROOT_LOCKED = 0x3 };

static void ok_securebits(runner_t *runner) {
    unsigned bits = securebits(runner);
    ok((bits & NOROOT_LOCKED) == NOROOT_LOCKED, "user id 0 means nothing to an exec, locked: %#x", bits);
}

static void become_ordinary(void) {
    if (geteuid() == 0)
        ok_int(setgroups(0, NULL) | setresgid(65534, 65534, 65534) | setresuid(65534, 65534, 65534), 0,
               "becomes an ordinary user");
}

/* ------------------------------------------------------------------ programs that give privileges */

static char dir[64], set_user_id[96], with_caps[96];

/* security.capability, version 2 (linux/capability.h): permitted and effective cap_chown. */
static bool give_file_caps(const char *path) {
    struct vfs_cap_data data = {.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE};
    data.data[0].permitted = (uint32_t)bit(CAP_CHOWN);
    return setxattr(path, "security.capability", &data, sizeof data, 0) == 0;
}

static bool make_programs(void) {
    snprintf(dir, sizeof dir, "%s", scratch_dir());
    snprintf(set_user_id, sizeof set_user_id, "exec %s/su caps", dir);
    snprintf(with_caps, sizeof with_caps, "exec %s/caps caps", dir);
    return ok(copy_file(poke_path(), join(dir, "su"), 04755) && copy_file(poke_path(), join(dir, "caps"), 0755)
                  && give_file_caps(join(dir, "caps")),
              "a set-user-ID program and one with file capabilities");
}

static bool nothing_gained(const char *got) {
    return strcmp(got, NONE) == 0 || strcmp(got, "EPERM") == 0;
}

/* Checks that neither program gives a capability to what this runner starts. */
static void ok_no_way_back(runner_t *runner) {
    const char *got = answer(runner, set_user_id);
    ok(nothing_gained(got), "a set-user-ID program gives nothing: %s", got);
    got = answer(runner, with_caps);
    ok(nothing_gained(got), "file capabilities give nothing: %s", got);
    got = answer(runner, "caps");
    ok_str(got, NONE, "the program itself");
}

/* ------------------------------------------------------------------ drop */

static void control_without(void) {
    if (!is_root())
        SKIP("needs root");
    runner_t *runner = poke("caps");
    const char *got = answer(runner, "caps");
    ok(strstr(got, "eff 0 ") == NULL && strstr(got, "bnd 0 ") == NULL, "root's program has capabilities: %s", got);
    ok_int(securebits(runner), 0, "and no securebits");
    runner_free(runner);
}

static void drop_as_root(void) {
    if (!is_root())
        SKIP("needs root");
    runner_t *runner = poke("caps");
    ok_int(runner_set_drop_caps(runner, true), 0, "drop");
    expect(runner, {"caps", NONE}, {"status CapBnd", "0000000000000000"}, {"ids", "uid 0 0 0 0 gid 0 0 0 0 groups"},
           {"setuid 1000", "EPERM"}, {"hostname stolen", "EPERM"}, {"keepcaps", "0"});
    ok_securebits(runner);
    ok_int(runner_set_drop_caps(runner, false), 0, "and not");
    ok(strstr(answer(runner, "caps"), "eff 0 ") == NULL, "control: it can be taken back");
    runner_free(runner);
}

static void drop_in_userns(void) {
    if (!have_userns())
        SKIP("no user namespaces");
    runner_t *runner = poke("caps");
    runner_set_unshare_flags(runner, CLONE_NEWUSER | CLONE_NEWUTS);
    expect(runner, {"hostname mine", "ok"});
    runner_set_drop_caps(runner, true);
    expect(runner, {"caps", NONE}, {"status Uid", "0 0 0 0"}, {"hostname mine", "EPERM"}, {"setuid 0", "ok"},
           {"caps", NONE});
    ok_securebits(runner);
    runner_free(runner);
}

static void drop_as_ordinary_checks(void) {
    become_ordinary();
    runner_t *runner = poke("caps");
    expect(runner, {"nnp", "0"});
    runner_set_drop_caps(runner, true);
    expect(runner, {"status CapEff", "0000000000000000"}, {"status CapPrm", "0000000000000000"},
           {"status CapInh", "0000000000000000"}, {"status CapAmb", "0000000000000000"}, {"nnp", "1"});
    if (*dir) {
        const char *got = answer(runner, set_user_id);
        ok(strstr(got, "prm 0 eff 0 ") != NULL || strcmp(got, "EPERM") == 0, "a set-user-ID program gives nothing: %s",
           got);
        got = answer(runner, with_caps);
        ok(strstr(got, "prm 0 eff 0 ") != NULL || strcmp(got, "EPERM") == 0, "file capabilities give nothing: %s", got);
        runner_set_drop_caps(runner, false);
        ok(strstr(answer(runner, set_user_id), "eff 0 ") == NULL, "control: the set-user-ID program gives them");
        ok(strstr(answer(runner, with_caps), "eff 1 ") != NULL, "control: file capabilities give one");
    }
    runner_free(runner);
}

/* An ordinary user cannot empty the bounding set; then no_new_privs keeps them away. */
static void drop_as_ordinary(void) {
    if (is_root() && !make_programs())
        return;
    in_child(drop_as_ordinary_checks);
    if (*dir)
        remove_dir(dir);
    dir[0] = '\0';
}

static void no_way_back(void) {
    if (!is_root())
        SKIP("needs root");
    if (!make_programs())
        return;
    runner_t *runner = poke("caps");
    runner_set_credential(runner, 1000, 1000, NULL, 0);
    ok(strstr(answer(runner, set_user_id), "eff 0 ") == NULL, "control: the set-user-ID program gives them all");
    ok(strstr(answer(runner, with_caps), "eff 1 ") != NULL, "control: file capabilities give one");
    runner_set_drop_caps(runner, true);
    ok_no_way_back(runner);
    runner_clear_credential(runner);
    ok_no_way_back(runner);
    runner_set_unshare_flags(runner, CLONE_NEWUSER);
    ok_no_way_back(runner);
    runner_free(runner);
    remove_dir(dir);
    dir[0] = '\0';
}

/* The steps that need privileges come before: a root is still built. */
static void drop_after_the_root(void) {
    if (!is_root() && !have_userns())
        SKIP("no user namespaces for this user");
    char root[64];
    snprintf(root, sizeof root, "%s", scratch_dir());
    runner_t *runner = poke("caps");
    runner_set_unshare_flags(runner, CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | userns_if_needed());
    runner_set_pivot_root(runner, root);
    runner_add_bind(runner, poke_path(), "/poke", RUNNER_BIND_RO);
    runner_add_proc(runner, "/proc", 0);
    runner_set_hostname(runner, "box");
    runner_set_drop_caps(runner, true);
    expect_at(runner, "/poke", {"caps", NONE}, {"umount /proc", "EPERM"}, {"mount none / tmpfs 0", "EPERM"});
    runner_free(runner);
    remove_dir(root);
}

/* ------------------------------------------------------------------ keep */

static void keep_exactly(void) {
    const uint64_t masks[] = {bit(CAP_NET_BIND_SERVICE), bit(CAP_CHOWN) | bit(CAP_SYSLOG), bit(CAP_AUDIT_READ), 0};
    if (!is_root())
        SKIP("needs root");
    runner_t *runner = poke("caps");
    for (size_t i = 0; i < COUNT(masks); i++) {
        char twice[256];
        snprintf(twice, sizeof twice, "%s\nexit 0", all_sets(masks[i]));
        char again[256];
        snprintf(again, sizeof again, "exec %s caps", poke_path());
        ok_int(runner_keep_caps(runner, masks[i]), 0, "keep %#llx", (unsigned long long)masks[i]);
        expect(runner, {"caps", all_sets(masks[i])}, {again, twice});
        ok_securebits(runner);
    }
    runner_free(runner);
}

static void kept_bind(void) {
    if (!is_root())
        SKIP("needs root");
    runner_t *runner = poke("caps");
    runner_set_unshare_flags(runner, CLONE_NEWNET);
    runner_set_loopback_up(runner, true);
    runner_set_credential(runner, 1000, 1000, NULL, 0);
    expect(runner, {"bind 80", "EACCES"});
    runner_keep_caps(runner, bit(CAP_NET_BIND_SERVICE));
    expect(runner, {"bind 80", "ok"}, {"caps", all_sets(bit(CAP_NET_BIND_SERVICE))},
           {"ids", "uid 1000 1000 1000 1000 gid 1000 1000 1000 1000 groups"}, {"setuid 0", "EPERM"});
    runner_free(runner);
}

static void kept_chown(void) {
    char file[64], op[96];
    if (!is_root())
        SKIP("needs root");
    snprintf(file, sizeof file, "%s", scratch_dir());
    snprintf(op, sizeof op, "chown %s 7 8", file);
    runner_t *runner = poke("caps");
    runner_keep_caps(runner, bit(CAP_CHOWN));
    expect(runner, {op, "ok"}, {"setuid 1000", "EPERM"});
    runner_keep_caps(runner, bit(CAP_SETUID));
    expect(runner, {op, "EPERM"}, {"setuid 1000", "ok"});
    runner_free(runner);
    remove_dir(file);
}

static void kept_in_userns(void) {
    if (!have_userns())
        SKIP("no user namespaces");
    runner_t *runner = poke("caps");
    runner_set_unshare_flags(runner, CLONE_NEWUSER | CLONE_NEWUTS);
    runner_keep_caps(runner, bit(CAP_SYS_ADMIN));
    expect(runner, {"caps", all_sets(bit(CAP_SYS_ADMIN))}, {"hostname mine", "ok"}, {"chroot /", "EPERM"});
    runner_keep_caps(runner, bit(CAP_SYS_CHROOT));
    expect(runner, {"caps", all_sets(bit(CAP_SYS_CHROOT))}, {"hostname mine", "EPERM"}, {"chroot /", "ok"});
    runner_free(runner);
}

/* One that is not the caller's is an error, not silently left out. */
static void keep_refused_checks(void) {
    become_ordinary();
    runner_t *runner = poke("caps");
    runner_keep_caps(runner, bit(CAP_CHOWN));
    ok_failed(run(runner), RUNNER_STAGE_CAPABILITIES, -1, EPERM);
    runner_free(runner);
}

static void keep_refused(void) {
    in_child(keep_refused_checks);
}

static void drop_own_checks(void) {
    ok_int(prctl(PR_CAPBSET_DROP, CAP_CHOWN, 0, 0, 0), 0, "the host itself lacks one");
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    syscall(SYS_capget, &head, data);
    data[0].permitted &= ~(uint32_t)bit(CAP_CHOWN);
    data[0].effective = data[0].permitted;
    ok_int(syscall(SYS_capset, &head, data), 0, "and has it no more");
    runner_t *runner = poke("caps");
    runner_keep_caps(runner, bit(CAP_CHOWN) | bit(CAP_SETUID));
    ok_failed(run(runner), RUNNER_STAGE_CAPABILITIES, -1, EPERM);
    runner_keep_caps(runner, bit(CAP_SETUID));
    expect(runner, {"caps", all_sets(bit(CAP_SETUID))});
    runner_free(runner);
}

static void keep_lacking(void) {
    if (!is_root())
        SKIP("needs root");
    in_child(drop_own_checks);
}

/* Beyond the last capability that the kernel knows. */
static void keep_unknown(void) {
    if (!is_root())
        SKIP("needs root");
    runner_t *runner = poke("caps");
    ok_int(runner_keep_caps(runner, bit(62)), 0, "the kernel judges");
    int result = run(runner);
    ok((result == -EPERM || result == -EINVAL) && last_error.stage == RUNNER_STAGE_CAPABILITIES,
       "an error of its stage: %d, %s", result, runner_stage_name(last_error.stage));
    runner_free(runner);
}

/* ------------------------------------------------------------------ no_new_privs, and the host */

static void no_new_privs(void) {
    runner_t *runner = poke("nnp");
    expect(runner, {"nnp", "0"});
    ok_int(runner_set_no_new_privs(runner, true), 0, "set");
    expect(runner, {"nnp", "1"});
    ok_int(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0, "the host's");
    runner_free(runner);
}

static void no_new_privs_holds(void) {
    if (!is_root())
        SKIP("a set-user-ID file of root needs root");
    if (!make_programs())
        return;
    runner_t *runner = poke("nnp");
    runner_set_credential(runner, 1000, 1000, NULL, 0);
    ok(strstr(answer(runner, set_user_id), "eff 0 ") == NULL, "control: without it the set-user-ID bit works");
    runner_set_no_new_privs(runner, true);
    ok(strstr(answer(runner, set_user_id), "prm 0 eff 0 ") != NULL, "with it the set-user-ID bit gives nothing");
    ok(strstr(answer(runner, with_caps), "prm 0 eff 0 ") != NULL, "and file capabilities nothing");
    runner_free(runner);
    remove_dir(dir);
    dir[0] = '\0';
}

static void host_keeps_its_own(void) {
    static const char *const lines[] = {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Uid",
        "Groups"};
    char before[COUNT(lines)][1024];
    for (size_t i = 0; i < COUNT(lines); i++)
        snprintf(before[i], sizeof before[i], "%s", status_line(getpid(), lines[i]));
    int bits = prctl(PR_GET_SECUREBITS);
    runner_t *runner = poke("caps");
    runner_set_no_new_privs(runner, true);
    runner_set_drop_caps(runner, true);
    if (is_root())
        runner_set_credential(runner, 1000, 1000, NULL, 0);
    ok(exited(run(runner), 0), "runs");
    for (size_t i = 0; i < COUNT(lines); i++)
        ok_str(status_line(getpid(), lines[i]), before[i], "the host's %s", lines[i]);
    ok_int(prctl(PR_GET_SECUREBITS), bits, "the host's securebits");
    runner_free(runner);
}

static const struct test tests[] = {
    {"control: without drop_caps root's program has capabilities", control_without},
    {"drop_caps as root: five empty sets, securebits locked, user id 0 is powerless", drop_as_root},
    {"drop_caps in a user namespace", drop_in_userns},
    {"drop_caps as an ordinary user: no_new_privs instead of the bounding set", drop_as_ordinary},
    {"dropped capabilities do not come back by set-user-ID or file capabilities", no_way_back},
    {"drop_caps comes after the steps that need capabilities", drop_after_the_root},
    {"keep_caps: exactly the mask in all five sets, after another exec too", keep_exactly},
    {"keep_caps with a credential: the kept one works, no other", kept_bind},
    {"keep_caps: CAP_CHOWN and CAP_SETUID work as kept", kept_chown},
    {"keep_caps in a user namespace", kept_in_userns},
    {"keep_caps of an ordinary user is refused", keep_refused},
    {"keep_caps of what the host lacks is refused, not left out", keep_lacking},
    {"keep_caps beyond the kernel's last capability is refused", keep_unknown},
    {"no_new_privs is the program's, not the host's", no_new_privs},
    {"no_new_privs: set-user-ID bits and file capabilities give nothing", no_new_privs_holds},
    {"the host's own privileges are as they were", host_keeps_its_own},
};

int main(int argc, char **argv) {
    return tap_main(argc, argv, tests, COUNT(tests), NULL, 0);
}
