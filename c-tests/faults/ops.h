/* The ops of a start, read from what runner_explain() prints: `number stage[index] call(...)`, one a line. Include
 * after tap.h. */

#ifndef OPS_H
#define OPS_H

struct op {
    uint32_t number, stage;
    int index; /* -1: none */
    const char *call;
};

enum { OPS_MAX = 2048 };

struct program {
    struct op ops[OPS_MAX];
    size_t count;
    bool traced;
    uint32_t stop; /* the op at which control passes to the caller; UINT32_MAX: none does */
    char text[1 << 17];
};

/* The number of a stage's name; UINT32_MAX where it is no stage. */
TAP_HELPER uint32_t stage_number(const char *name) {
    for (uint32_t stage = 0; strcmp(runner_stage_name(stage), "unknown") != 0; stage++)
        if (strcmp(runner_stage_name(stage), name) == 0)
            return stage;
    return UINT32_MAX;
}

TAP_HELPER bool begins(const char *text, const char *with) {
    return strncmp(text, with, strlen(with)) == 0;
}

TAP_HELPER void add_op(struct program *program, const char *site, const char *call) {
    struct op *op = &program->ops[program->count];
    char name[64];
    op->index = -1;
    if (!ok(program->count < OPS_MAX && sscanf(site, "%63[^[][%d]", name, &op->index) >= 1, "a site: %s", site))
        return;
    op->number = (uint32_t)program->count++;
    op->stage = stage_number(name);
    op->call = call;
    ok(op->stage != UINT32_MAX, "%s is a stage", name);
    program->traced |= begins(call, "ptrace(");
    if (begins(call, "wait: the parent stops"))
        program->stop = op->number;
}

/* Takes `program->text` apart. `held`: the start is a held one, of which explain does not speak: it waits right
 * before the last steps. */
TAP_HELPER void parse_program(struct program *program, bool held) {
    char *rest = program->text, *line;
    program->count = 0;
    program->traced = false;
    program->stop = UINT32_MAX;
    strsep(&rest, "\n"); /* strategy */
    strsep(&rest, "\n"); /* clone */
    for (uint32_t number = 0; (line = strsep(&rest, "\n")) != NULL && *line != '\0'; number++) {
        char *words = line + strspn(line, " "), *digits = strsep(&words, " "), *site = strsep(&words, " ");
        if (!ok(words != NULL && strtoul(digits, NULL, 10) == number, "line %u of the program: %s", number, line))
            return;
        words += strspn(words, " ");
        if (held && begins(words, "rt_sigprocmask("))
            add_op(program, "sync", "wait: held until it is resumed");
        add_op(program, site, words);
    }
    ok(program->count > 5, "a program of %zu ops", program->count);
}

/* An errno that the call of an op may well fail with; EIO where nothing better is known. None of the new mount calls'
 * is one that the library takes for a missing call. */
TAP_HELPER int plausible_errno(const struct op *op) {
    static const struct {
        const char *call;
        int err;
    } errnos[] = {
        {"openat(", ENFILE},    {"openat2(", ENFILE},      {"open_tree(", ENFILE}, {"dup3(", EMFILE},
        {"mount(", ENOMEM},     {"move_mount(", EINVAL},   {"umount2(", EBUSY},    {"pivot_root(", EBUSY},
        {"mkdirat(", ENOSPC},   {"mknodat(", EDQUOT},      {"symlinkat(", ENOSPC}, {"write(", EACCES},
        {"setresuid(", EAGAIN}, {"setresgid(", EINVAL},    {"setgroups(", ENOMEM}, {"prlimit64(", EPERM},
        {"prctl(", EPERM},      {"capset(", EPERM},        {"seccomp(", ENOMEM},   {"ptrace(", EPERM},
        {"execve(", ENOMEM},    {"execveat(", EACCES},     {"unshare(", ENOSPC},   {"socket(", EAFNOSUPPORT},
        {"chdir(", EACCES},     {"sched_setscheduler(", EPERM},
    };
    for (size_t i = 0; i < COUNT(errnos); i++)
        if (begins(op->call, errnos[i].call))
            return errnos[i].err;
    return EIO;
}

/* Whether the library tries again with the old mount calls where this one is missing. */
TAP_HELPER bool is_new_mount_call(const struct op *op) {
    return begins(op->call, "openat2(") || begins(op->call, "open_tree(") || begins(op->call, "move_mount(") ||
           begins(op->call, "mount_setattr(");
}

/* The first string among the call's arguments, but what it writes and "/"; "" where it has none. */
TAP_HELPER const char *object_of(const struct op *op) {
    static _Thread_local char object[512];
    const char *quote = strchrnul(op->call, '"');
    size_t length = *quote == '\0' || begins(op->call, "write(") ? 0 : strcspn(quote + 1, "\"");
    bool root = length == 1 && quote[1] == '/';
    snprintf(object, sizeof object, "%.*s", root ? 0 : (int)length, length > 0 ? quote + 1 : "");
    return object;
}

#endif
