# The count is summed up too.
import sys

print(sum(map(int, sys.stdin.read().split())))
