/* Network interfaces of the host, for moa-container. */
#pragma once

/* Removes the interface NAME when there is one. Best effort. */
void link_remove(const char *name);
