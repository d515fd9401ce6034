/* Attacks by what processes share without a file in common: rings of keys, sockets, System V memory, message
 * queues. What one run leaves there the next one finds, and the host's own is there too. */

#define _GNU_SOURCE
#include "tap.h"

#include "attack.h"
#include "judge.h"
#include <linux/keyctl.h>
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/un.h>

#define ALL_NAMESPACES                                                                                              \
    (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)

/* All that isolates but a filter; as root another id outside too. */
static void set_namespaces(runner_t *runner) {
    runner_set_unshare_flags(runner, ALL_NAMESPACES);
    runner_set_drop_caps(runner, true);
    if (is_root()) {
        runner_add_uid_mapping(runner, 1000, 61999, 1);
        runner_add_gid_mapping(runner, 1000, 61999, 1);
        runner_set_credential(runner, 1000, 1000, NULL, 0);
    }
}

/* ------------------------------------------------------------------ keys */

static long keyctl(int what, long a, const char *b, const char *c, long d) {
    return syscall(SYS_keyctl, what, a, b, c, d);
}

static long find_key(int ring, const char *name) {
    return keyctl(KEYCTL_SEARCH, ring, "user", name, 0);
}

/* In a child: a session ring of its own, as pam_keyinit(8) makes one at a login, with a key in it. */
static bool have_session_ring(void) {
    return syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) >= 0 &&
           syscall(SYS_add_key, "user", "of-host", "secret", 6, KEY_SPEC_SESSION_KEYRING) >= 0;
}

#define READ_KEY op("key %d of-host", KEY_SPEC_SESSION_KEYRING)
#define LEAVE_KEY op("leave-key %d of-run", KEY_SPEC_SESSION_KEYRING)

static void session_ring_checks(void) {
    if (!have_session_ring())
        SKIP("no keys in this kernel or for this user: %s", strerror(errno));
    runner_t *runner = hostile();
    attacks(runner, {READ_KEY, "got secret"}, {LEAVE_KEY, "got"});
    ok(find_key(KEY_SPEC_SESSION_KEYRING, "of-run") >= 0, "by default: the host has the program's key");
    if (have_userns()) {
        set_namespaces(runner);
        attacks(runner, {READ_KEY, "got secret"});
    }
    set_judges_filter(runner);
    attacks(runner, {READ_KEY, "EPERM"}, {LEAVE_KEY, "EPERM"});
    runner_free(runner);
}

static void session_ring(void) {
    in_child(session_ring_checks);
}

/* The ring of all processes of a user. Root's tests have a user of their own for it. */
static void user_ring_checks(void) {
    const char *leave = op("leave-key %d of-run", KEY_SPEC_USER_KEYRING);
    const char *read = op("key %d of-run", KEY_SPEC_USER_KEYRING);
    uid_t uid = 1000000 + (uid_t)getpid();
    if (is_root())
        ok_int(setgroups(0, NULL) | setresgid(uid, uid, uid) | setresuid(uid, uid, uid), 0, "a user of its own");
    prctl(PR_SET_DUMPABLE, 1); /* that was lost with the ids, and a user namespace needs it */
    runner_t *runner = hostile();
    attacks(runner, {leave, "got"});
    attacks(runner, {read, "got left"});
    long key = find_key(KEY_SPEC_USER_KEYRING, "of-run");
    ok(key >= 0, "by default: the host finds it, and the next run");
    ok(keyctl(KEYCTL_UNLINK, key, (const char *)(long)KEY_SPEC_USER_KEYRING, NULL, 0) == 0, "it is taken away");
    runner_set_unshare_flags(runner, CLONE_NEWUSER);
    attacks(runner, {leave, "got"});
    attacks(runner, {read, "ENOKEY"});
    ok(find_key(KEY_SPEC_USER_KEYRING, "of-run") < 0, "with a user namespace: nobody finds it");
    set_judges_filter(runner);
    attacks(runner, {leave, "EPERM"});
    runner_free(runner);
}

static void user_ring(void) {
    if (syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_KEYRING, 1) < 0 || !have_userns())
        SKIP("no keys in this kernel, or no user namespaces for this user");
    in_child(user_ring_checks);
}

/* ------------------------------------------------------------------ sockets */

/* A listener of the host's: "@name" is abstract, without a file. */
static int listener(const char *name) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    bool abstract = name[0] == '@';
    snprintf(address.sun_path + abstract, sizeof address.sun_path - 1, "%s", name + abstract);
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name) + !abstract);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ok(bind(fd, (struct sockaddr *)&address, length) == 0 && listen(fd, 8) == 0, "a listener at %s", name);
    return fd;
}

static void abstract_socket(void) {
    char name[64];
    snprintf(name, sizeof name, "@runner-test-%d", (int)getpid());
    int fd = listener(name);
    runner_t *runner = hostile();
    attacks(runner, {op("connect %s", name), "got"});
    runner_set_unshare_flags(runner, CLONE_NEWNET | userns_if_needed());
    attacks(runner, {op("connect %s", name), "ECONNREFUSED"});
    runner_free(runner);
    runner = hostile_in_root(0);
    attacks_inside(runner, {op("connect %s", name), "got"});
    runner_free(runner);
    close(fd);
}

/* One with a file is a matter of the root; that its bind is read-only does not keep anybody from it. */
static void socket_with_path(void) {
    char dir[64], path[80];
    snprintf(dir, sizeof dir, "%s", scratch_dir());
    snprintf(path, sizeof path, "%s/socket", dir);
    int fd = listener(path);
    chmod(path, 0666);
    runner_t *runner = hostile();
    runner_set_unshare_flags(runner, CLONE_NEWNET | userns_if_needed());
    attacks(runner, {op("connect %s", path), "got"});
    runner_free(runner);
    runner = hostile_in_root(CLONE_NEWNET);
    attacks_inside(runner, {op("connect %s", path), "ENOENT"});
    runner_add_bind(runner, dir, "/box", RUNNER_BIND_RO);
    attacks_inside(runner, {"connect /box/socket", "got"});
    runner_free(runner);
    close(fd);
    remove_dir(dir);
}

/* ------------------------------------------------------------------ System V and message queues */

static key_t a_key(void) {
    return 0x52000000 | (getpid() & 0xffffff);
}

static void host_segment(void) {
    int id = shmget(a_key(), 4096, IPC_CREAT | IPC_EXCL | 0666);
    char *memory = shmat(id, NULL, 0);
    if (!ok(id >= 0 && memory != (void *)-1, "a segment of the host's"))
        return;
    strcpy(memory, "secret");
    runner_t *runner = hostile();
    attacks(runner, {op("shm %d", a_key()), "got secret"});
    runner_set_unshare_flags(runner, CLONE_NEWIPC | userns_if_needed());
    attacks(runner, {op("shm %d", a_key()), "ENOENT"});
    runner_free(runner);
    shmdt(memory);
    shmctl(id, IPC_RMID, NULL);
}

/* Memory and names that outlive the run: not even a watched run knows of them. */
static void left_behind(void) {
    char queue[64];
    snprintf(queue, sizeof queue, "/runner-test-%d", (int)getpid());
    for (int defended = 0; defended < 2; defended++) {
        runner_t *runner = hostile();
        runner_set_unshare_flags(runner, defended ? CLONE_NEWIPC | userns_if_needed() : 0);
        attacks(runner, {op("leave-shm %d 1048576", a_key()), "got"}, {op("leave-queue %s", queue), "got"});
        runner_free(runner);
        int id = shmget(a_key(), 0, 0);
        ok_int(id >= 0, !defended, "ipc namespace %d: a segment is left", defended);
        ok_int(mq_unlink(queue) == 0, !defended, "ipc namespace %d: a queue is left", defended);
        if (id >= 0)
            shmctl(id, IPC_RMID, NULL);
    }
}

static const struct test tests[] = {
    {"keys of the host's session: neither by default nor with namespaces; with a filter", session_ring},
    {"keys of the user: not by default; with a user namespace or a filter", user_ring},
    {"abstract sockets: neither by default nor with a root; with a network namespace", abstract_socket},
    {"sockets with a path: neither by default nor with a read-only bind; with a root without them", socket_with_path},
    {"System V memory of the host: not by default; with an ipc namespace", host_segment},
    {"System V memory and message queues left behind: not by default; with an ipc namespace", left_behind},
};

int main(int argc, char **argv) {
    return root_main(argc, argv, tests, COUNT(tests));
}
