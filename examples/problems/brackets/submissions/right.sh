#!/bin/sh
# Takes away innermost pairs until there is none; what was balanced is empty then.
read n
while read word; do
    while :; do
        case $word in
        *'()'*) word=${word%%'()'*}${word#*'()'} ;;
        *'[]'*) word=${word%%'[]'*}${word#*'[]'} ;;
        *'{}'*) word=${word%%'{}'*}${word#*'{}'} ;;
        *) break ;;
        esac
    done
    if [ -z "$word" ]; then echo yes; else echo no; fi
done
