#!/usr/bin/env python3
"""The C++ of a README as programs: snippets.py README.md DIRECTORY writes N.cpp, and N.prints: what it has to print.

What is no whole program becomes the body of main(). `// prints X` says that X is printed, each a line.
"""

import re
import sys
from pathlib import Path

PRELUDE = """#include <cstddef>
#include <iostream>
#include <map>
#include <vector>
#include <poll.h>
#include <runner.hpp>
using namespace std::chrono_literals;
int main() {
"""


def main(readme, directory):
    blocks = re.findall(r"^```cpp\n(.*?)^```", Path(readme).read_text(), re.MULTILINE | re.DOTALL)
    if not blocks:
        sys.exit(f"{readme}: no C++ in it")
    for number, block in enumerate(blocks):
        program = block if "int main()" in block else PRELUDE + block + "}\n"
        prints = re.findall(r"// prints (.*)$", block, re.MULTILINE)
        if not prints:
            sys.exit(f"{readme}: snippet {number} does not say what it prints")
        Path(directory, f"{number}.cpp").write_text(program)
        Path(directory, f"{number}.prints").write_text("\n".join(prints) + "\n")


main(*sys.argv[1:])
