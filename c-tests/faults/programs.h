/* The programs of the sets: what each op is, and how a message has to name it. Include after ops.h and sets.h. */

#ifndef PROGRAMS_H
#define PROGRAMS_H

static struct program programs[COUNT(sets)];

static struct program *program_of(const struct set *set) {
    struct program *program = &programs[set - sets];
    runner_t *runner = runner_of(set);
    int length = runner_explain(runner, program->text, sizeof program->text);
    if (ok(length > 0 && (size_t)length < sizeof program->text, "it is explained: %d", length))
        parse_program(program, set->how == HELD);
    runner_free(runner);
    return program;
}

/* What the message of an op has to name beside the reason: what the caller named, or the call's own object. */
static const char *name_in_message(const struct set *set, const struct op *op) {
    static char name[512];
    snprintf(name, sizeof name, "%s", object_of(op));
    char *procs = strstr(name, "/cgroup.procs"), *number = strstr(name, "/runner-");
    switch (op->stage) {
    case RUNNER_STAGE_MOUNT:
    case RUNNER_STAGE_MKDIR:
    case RUNNER_STAGE_FILE:
    case RUNNER_STAGE_SYMLINK:
        return op->index < 0 ? "" : set->targets[op->index];
    case RUNNER_STAGE_PIVOT_ROOT:
        return set->targets == tree_targets ? "" : pivot_dir;
    case RUNNER_STAGE_RLIMIT:
        snprintf(name, sizeof name, "rlimit #%d ", op->index);
        return name;
    case RUNNER_STAGE_DUP:
        snprintf(name, sizeof name, "fd %d of the program", op->index);
        return op->index < 0 ? "" : name;
    case RUNNER_STAGE_EXEC:
        return begins(op->call, "execve(") || begins(op->call, "check(\"") ? name : "fd";
    case RUNNER_STAGE_CGROUP:
        /* The group, not its file; explain does not know the number of a run's own. */
        if (procs != NULL)
            *procs = '\0';
        if (number != NULL)
            *strchrnul(number + strlen("/runner-"), '-') = '\0';
        /* A message cuts a long path in its middle; the hierarchy stands at the beginning. */
        name[36] = '\0';
        return name;
    case RUNNER_STAGE_ID_MAP:
    case RUNNER_STAGE_OOM_SCORE_ADJ:
        return strrchr(name, '/') != NULL ? strrchr(name, '/') + 1 : "";
    default:
        return name;
    }
}

static const char *describe_op(const struct op *op) {
    static char text[256];
    snprintf(text, sizeof text, "op %u %s[%d] %.150s", op->number, runner_stage_name(op->stage), op->index, op->call);
    return text;
}

/* The programs of sets with mounts on a kernel without openat2 and its like: what a start falls back to. */
static struct old_programs {
    bool known;
    char texts[COUNT(sets)][1 << 16];
} *old;

/* Whether some op of some set, or of what it falls back to, is printed like this: with a blank in front, from its
 * beginning. */
static bool is_printed(const char *text) {
    for (size_t i = 0; i < COUNT(sets); i++) {
        for (size_t k = 0; k < programs[i].count; k++) {
            const char *call = programs[i].ops[k].call;
            if (*text == ' ' ? begins(call, text + 1) : strstr(call, text) != NULL)
                return true;
        }
        if (strstr(old->texts[i], text) != NULL)
            return true;
    }
    return false;
}

#endif
