# Judges what inside.sh printed, with the cases that do not fit a container (excluded.txt) set aside:
#   awk -v mode=user -v wanted=N -f tap.awk excluded.txt REPORT
# Prints a line for each program, the failures, and "@sum PASSED FAILED SKIPPED EXCLUDED".

function end_of_program() {
    if (program == "")
        return
    # What fails only in excluded cases ends with 1.
    if (plan != ok + not + excluded || status != 0 && !(status == 1 && excluded > 0) || ok + excluded == 0) {
        failures = failures sprintf("    exit status %s, plan %s, %d results\n%s", status, plan, ok + not, errors)
        not += not == 0
    }
    printf "  %-16s %3d passed, %d failed, %d skipped, %d excluded\n%s",
           program, ok - skip, not, skip, excluded, failures
    passed += ok - skip
    failed += not
    skipped += skip
    set_aside += excluded
    program = ""
}

# ---- excluded.txt

FNR == NR && /^[^# ]/ {
    split($1, modes, ",")
    case_name = $0
    sub(/^[^ ]+ +[^ ]+ +/, "", case_name)
    for (i in modes)
        if (modes[i] == mode)
            excludes[$2 " " case_name] = 1
}
FNR == NR { next }

# ---- the report

/^@program / {
    end_of_program()
    program = $2
    sub(/.*\//, "", program)
    ran++
    ok = not = skip = excluded = failing = 0
    plan = "missing"
    status = "none"
    failures = errors = ""
    next
}
/^@stderr / { errors = errors "    stderr: " substr($0, 9) "\n"; next }
/^@status / { status = $2; end_of_program(); next }
/^@end$/ { ended = 1; next }
/^(not )?ok / {
    name = $0
    sub(/^(not )?ok [0-9]+ - /, "", name)
    failing = 0
}
/^ok / {
    ok++
    if (tolower($0) ~ /# skip/)
        skip++
    else if ((program " " name) in excludes)
        failures = failures "    passes, and need not stand in excluded.txt: " name "\n"
}
/^not ok / {
    if ((program " " name) in excludes)
        excluded++
    else {
        not++
        failing = 12
    }
}
/^1\.\.[0-9]+$/ { plan = substr($0, 4) + 0; failing = 0 }
failing-- > 0 { failures = failures "    " $0 "\n" }

END {
    end_of_program()
    if (!ended || ran != wanted) {
        printf "    %d of %d programs ran\n", ran, wanted
        failed++
    }
    print "@sum", passed + 0, failed + 0, skipped + 0, set_aside + 0
}
