#!/bin/sh
# Only counts.
read n
while read word; do
    if [ $((${#word} % 2)) = 0 ]; then echo yes; else echo no; fi
done
