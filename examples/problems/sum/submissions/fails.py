# An exception that nobody catches: exit code 1.
raise SystemExit(int("one"))
