/* Every call that the test build of the module makes to the outside goes through here (ld --wrap), and one of them can be made to fail. */
#pragma once

struct fault {
	volatile unsigned calls; /* made so far in this run */
	volatile unsigned at;    /* this one fails; 0: none */
	char name[32];           /* of the one that failed */
};
extern struct fault *fault; /* shared between the processes; NULL: off */
