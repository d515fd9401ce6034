#!/bin/sh
read n
sum=0
while read line; do
    for x in $line; do
        sum=$((sum + x))
    done
done
echo "$sum"
