module librunner/runner

go 1.21
