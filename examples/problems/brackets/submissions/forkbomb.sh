#!/bin/sh
# Processes that do nothing but exist.
while :; do
    sleep 3600 &
done
