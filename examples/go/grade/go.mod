module grade

go 1.21

require librunner/runner v0.1.0

// In a program of your own: where librunner's sources are.
replace librunner/runner => ../../../bindings/go
