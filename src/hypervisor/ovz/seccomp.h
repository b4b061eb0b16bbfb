/* The system calls containers are refused: those that reach past the container or have no use inside one. */
#pragma once
extern const char seccomp_profile[]; /* in liblxc's format, version 2 */
