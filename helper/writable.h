/* Who can change what a path leads to. */
#pragma once

/* 1: somebody other than root can change the file that PATH (absolute) leads to below the folder ROOT, or put another in its place: the file, a
 * folder on the way to it or to the target of a link on the way is owned by another account, or writable by a group that is
 * not root's, or by all (in a folder of root's with the sticky bit an entry is its owner's).  0: nobody but root.  -errno: it
 * cannot be told.  May block: not for jitd. */
int writable_by_others(int root, const char *path);
