#include <sys/random.h>
#include "courier/courier.h"
#include "lib/clock.h"

#define LONGEST 60

void backoff_success(struct backoff *b)
{
	*b = (struct backoff){ 0 };
}

void backoff_failure(struct backoff *b, unsigned seconds)
{
	uint64_t base, jitter = 0;

	base = (b->failures < 6 ? 1U << b->failures : LONGEST) * USEC_PER_SEC;
	if (b->failures < 6)
		b->failures++;
	if (getrandom(&jitter, sizeof(jitter), GRND_NONBLOCK) != sizeof(jitter))
		jitter = 0;
	/* Never all hosts at once when the hub comes back. */
	base = base / 2 + jitter % (base / 2 + 1);
	if (base < seconds * USEC_PER_SEC)
		base = seconds * USEC_PER_SEC;
	b->not_before = clock_mono() + base;
}

void backoff_hurry(struct backoff *b)
{
	uint64_t soon = clock_mono() + USEC_PER_SEC;

	if (b->not_before > soon)
		b->not_before = soon;
}

int timer_arm(sd_event *event, sd_event_source **source, uint64_t usec, sd_event_time_handler_t handler, void *userdata)
{
	int r;

	if (!*source)
		return sd_event_add_time(event, source, CLOCK_MONOTONIC, usec, 1000, handler, userdata);
	r = sd_event_source_set_time(*source, usec);
	return r < 0 ? r : sd_event_source_set_enabled(*source, SD_EVENT_ONESHOT);
}
