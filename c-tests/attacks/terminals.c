/* Attacks by terminals: typing into the host's, taking it away from its session, keeping it from moving, and the
 * pseudo terminals of others. The host of these tests is a child in a session of its own, whose terminal is a
 * scratch one. */

#define _GNU_SOURCE
#include "tap.h"

#include "attack.h"
#include <linux/vt.h>
#include <sys/ioctl.h>
#include <termios.h>

/* A new pseudo terminal. */
struct terminal {
    int master, slave;
    char name[64];
};

static struct terminal open_terminal(void) {
    struct terminal terminal = {.master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), .slave = -1};
    if (terminal.master >= 0 && grantpt(terminal.master) == 0 && unlockpt(terminal.master) == 0 &&
        ptsname_r(terminal.master, terminal.name, sizeof terminal.name) == 0)
        terminal.slave = open(terminal.name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    return terminal;
}

static void close_terminal(const struct terminal *terminal) {
    close(terminal->slave);
    close(terminal->master);
}

/* For the host of a test: the terminal becomes its own. What hangs up when it ends is not to kill it. */
static bool take_terminal(int fd) {
    signal(SIGHUP, SIG_IGN);
    signal(SIGTTOU, SIG_IGN);
    return ok(setsid() > 0 && ioctl(fd, TIOCSCTTY, 0) == 0, "the host has a terminal of its own");
}

/* What lies in the terminal's input, as if it had been typed. */
static const char *typed(int fd) {
    static char text[256];
    struct termios raw;
    tcgetattr(fd, &raw);
    cfmakeraw(&raw);
    raw.c_cc[VMIN] = 0;
    tcsetattr(fd, TCSANOW, &raw);
    ssize_t n = read(fd, text, sizeof text - 1);
    text[n < 0 ? 0 : n] = '\0';
    return text;
}

/* One way to start the program that has the host's terminal as its fd 3, and what each attack comes to. */
struct setting {
    const char *name;
    void (*set)(runner_t *runner);
    bool root_only;
    const char *want;
};

static void with_keep(runner_t *r) { runner_set_session(r, RUNNER_SESSION_KEEP), runner_set_drop_caps(r, true); }
static void with_group(runner_t *r) { runner_set_session(r, RUNNER_SESSION_GROUP), runner_set_drop_caps(r, true); }
static void with_defaults(runner_t *r) { (void)r; }
static void with_drop(runner_t *r) { runner_set_drop_caps(r, true); }
static void with_credential(runner_t *r) { runner_set_credential(r, 1000, 1000, NULL, 0); }
static void with_userns(runner_t *r) { runner_set_unshare_flags(r, CLONE_NEWUSER); }

static bool applies(const struct setting *setting) {
    return (is_root() || !setting->root_only) && (setting->set != with_userns || have_userns());
}

/* An attack with each setting on a terminal that is the host's. */
static void with_each(int fd, const char *attack, const struct setting *settings, size_t n) {
    for (size_t i = 0; i < n; i++) {
        runner_t *runner = hostile();
        if (applies(&settings[i])) {
            settings[i].set(runner);
            ok_str(answer_with(runner, hostile_path(), attack, &fd, 1), settings[i].want, "%s", settings[i].name);
        }
        runner_free(runner);
    }
}

/* ------------------------------------------------------------------ typing */

static void typing_checks(void) {
    struct terminal terminal = open_terminal();
    if (!take_terminal(terminal.slave))
        return;
    static const struct {
        struct setting setting;
        const char *typed;
    } rows[] = {
        {{"the host's session", with_keep, false, "got"}, "id"},
        {{"the host's session, another group", with_group, false, "got"}, "id"},
        {{"by default, with CAP_SYS_ADMIN", with_defaults, true, "got"}, "id"},
        {{"with drop_caps", with_drop, false, "EPERM"}, ""},
        {{"with a credential", with_credential, true, "EPERM"}, ""},
        {{"with a user namespace", with_userns, false, "EPERM"}, ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (!applies(&rows[i].setting))
            continue;
        with_each(terminal.slave, "tiocsti 3 id", &rows[i].setting, 1);
        ok_str(typed(terminal.slave), rows[i].typed, "%s: what is typed", rows[i].setting.name);
    }
    if (!is_root()) {
        with_each(terminal.slave, "tiocsti 3 id", &(struct setting){"by default", with_defaults, false, "EPERM"}, 1);
        ok_str(typed(terminal.slave), "", "by default: what is typed");
    }
    close_terminal(&terminal);
}

static void typing(void) {
    char text[16] = "1";
    read_file("/proc/sys/dev/tty/legacy_tiocsti", text, sizeof text);
    if (text[0] == '0')
        SKIP("dev.tty.legacy_tiocsti is 0: nobody can without CAP_SYS_ADMIN");
    in_child(typing_checks);
}

/* The first console that nobody has open; -1. */
static int free_console(char path[64]) {
    int number = -1, fd = open("/dev/tty0", O_RDONLY | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0 && ioctl(fd, VT_OPENQRY, &number) == 0 && number > 0)
        snprintf(path, 64, "/dev/tty%d", number);
    if (fd >= 0)
        close(fd);
    return number > 0 ? open(path, O_RDWR | O_NOCTTY | O_CLOEXEC) : -1;
}

static void console_checks(void) {
    static const struct setting settings[] = {
        {"the host's session", with_keep, false, "got"},
        {"by default, with CAP_SYS_ADMIN", with_defaults, true, "got"},
        {"with drop_caps", with_drop, false, "EPERM"},
        {"with a credential", with_credential, true, "EPERM"},
        {"with a user namespace", with_userns, false, "EPERM"},
    };
    char path[64];
    int fd = free_console(path);
    if (fd < 0)
        SKIP("no virtual console that this user may open");
    if (take_terminal(fd))
        with_each(fd, "tioclinux 3", settings, COUNT(settings));
    ioctl(fd, TIOCNOTTY);
    close(fd);
    fd = open("/dev/tty0", O_RDONLY | O_NOCTTY | O_CLOEXEC);
    ioctl(fd, VT_DISALLOCATE, atoi(path + strlen("/dev/tty")));
    close(fd);
}

static void console(void) {
    in_child(console_checks);
}

/* ------------------------------------------------------------------ taking and holding */

static void stealing_checks(void) {
    static const struct setting settings[] = {
        {"by default, with CAP_SYS_ADMIN", with_defaults, true, "got"},
        {"with drop_caps", with_drop, false, "EPERM"},
        {"with a credential", with_credential, true, "EPERM"},
        {"with a user namespace", with_userns, false, "EPERM"},
    };
    for (size_t i = 0; i < COUNT(settings); i++) {
        struct terminal terminal = open_terminal();
        if (ioctl(terminal.slave, TIOCSCTTY, 0) == 0 || ok(false, "the host has a terminal")) {
            with_each(terminal.slave, "steal-tty 3", &settings[i], 1);
            bool stolen = applies(&settings[i]) && strcmp(settings[i].want, "got") == 0;
            ok_int(tcgetsid(terminal.slave) != getsid(0), stolen, "%s: it is the host's no more", settings[i].name);
        }
        ioctl(terminal.slave, TIOCNOTTY);
        close_terminal(&terminal);
    }
}

static void stealing_session(void) {
    signal(SIGHUP, SIG_IGN);
    signal(SIGCONT, SIG_IGN);
    ok(setsid() > 0, "a session of its own");
    stealing_checks();
}

static void stealing(void) {
    if (!is_root())
        SKIP("it needs CAP_SYS_ADMIN, which an ordinary user's program has not");
    in_child(stealing_session);
}

static void by_name_checks(void) {
    struct terminal terminal = open_terminal();
    if (!take_terminal(terminal.slave))
        return;
    runner_t *runner = hostile();
    attacks(runner, {"open /dev/tty", "ENXIO"});
    runner_set_session(runner, RUNNER_SESSION_KEEP);
    attacks(runner, {"open /dev/tty", "got"});
    runner_free(runner);
    close_terminal(&terminal);
}

static void by_name(void) {
    in_child(by_name_checks);
}

/* The host's pseudo terminals have names in /dev/pts; those of a /dev of its own are others. */
static void by_number(void) {
    struct terminal terminal = open_terminal();
    runner_t *runner = hostile();
    attacks(runner, {op("open %s", terminal.name), "got"});
    runner_free(runner);
    runner = hostile_in_root(0);
    runner_add_dev(runner, "/dev");
    attacks_inside(runner, {op("open %s", terminal.name), "ENOENT"}, {"open /dev/ptmx", "got"});
    runner_free(runner);
    close_terminal(&terminal);
}

/* A write of the host's to its own terminal waits as long as somebody has stopped the output. */
static bool can_write(int fd) {
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    return poll(&wait, 1, 0) == 1 && (wait.revents & POLLOUT) != 0;
}

static void holding_checks(void) {
    struct terminal terminal = open_terminal();
    int ends[2];
    if (!take_terminal(terminal.slave))
        return;
    runner_t *runner = hostile();
    runner_set_drop_caps(runner, true);
    ok_str(answer_with(runner, hostile_path(), "stop-tty 3", &terminal.slave, 1), "got", "the terminal is given");
    ok(!can_write(terminal.slave), "the host could not write to it");
    tcflow(terminal.slave, TCOON);
    ok(can_write(terminal.slave), "it can again");
    ok_str(answer_with(runner, hostile_path(), "nonblock 3", &terminal.slave, 1), "got", "an open file is given");
    ok(fcntl(terminal.slave, F_GETFL) & O_NONBLOCK, "and is the host's too");
    ok_int(pipe2(ends, O_CLOEXEC), 0, "a pipe in its place");
    ok_str(answer_with(runner, hostile_path(), "nonblock 3", &ends[1], 1), "got", "its end of a pipe is its own");
    ok(!(fcntl(ends[0], F_GETFL) & O_NONBLOCK), "the host's end is another");
    ok_str(answer_with(runner, hostile_path(), "stop-tty 3", &ends[1], 1), "ENOTTY", "and no terminal");
    runner_free(runner);
    close(ends[0]);
    close(ends[1]);
    close_terminal(&terminal);
}

static void holding(void) {
    in_child(holding_checks);
}

static const struct test tests[] = {
    {"TIOCSTI: by default without CAP_SYS_ADMIN; root's program with drop_caps, a credential or a user namespace",
     typing},
    {"TIOCLINUX: by default without CAP_SYS_ADMIN; root's program as with TIOCSTI", console},
    {"the host's terminal taken from its session: by default without CAP_SYS_ADMIN; root's program as with TIOCSTI",
     stealing},
    {"the host's terminal as /dev/tty: by default", by_name},
    {"the host's pseudo terminals by their names: not by default; with a root and runner_add_dev", by_number},
    {"the host's terminal stopped, its open files changed: not where they are given; with pipes", holding},
};

int main(int argc, char **argv) {
    return root_main(argc, argv, tests, COUNT(tests));
}
