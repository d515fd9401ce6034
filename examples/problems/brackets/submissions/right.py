import sys

PAIRS = {")": "(", "]": "[", "}": "{"}


def balanced(word):
    stack = []
    for c in word:
        if c not in PAIRS:
            stack.append(c)
        elif not stack or stack.pop() != PAIRS[c]:
            return False
    return not stack


for word in sys.stdin.read().split()[1:]:
    print("yes" if balanced(word) else "no")
