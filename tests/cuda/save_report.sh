#!/bin/sh
# save_report.sh COMPILER ARGUMENT...: runs it; what it says (ptxas: registers, shared memory, spills) goes beside the object,
# for kernels.sh, and onto the screen only where it is more than that.
object=
previous=
for word; do
    [ "$previous" != -o ] || object=$word
    previous=$word
done
case $object in *.o) ;; *) exec "$@" ;; esac
"$@" > "$object.resources" 2>&1
status=$?
grep -v -e '^ptxas info' -e 'bytes stack frame' -e '^$' "$object.resources" >&2
exit $status
