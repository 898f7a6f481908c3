/* A request as the hub gives it.  The hub is trusted with delivery only: what counts are the document's exact bytes. */
#include "config.h"
#include <errno.h>
#include <string.h>
#include "cli/approver.h"
#include "cli/document.h"
#include "lib/cleanup.h"
#include "lib/digest.h"
#include "lib/json.h"

void fetched_done(struct fetched *f)
{
	json_put_p(&f->outer);
	json_put_p(&f->document);
	envelope_done(&f->envelope);
	*f = (struct fetched){0};
}

int fetched_read(struct json_object *outer, struct fetched *ret, struct why *w)
{
	struct fetched f CLEAN(fetched_done) = {0};
	struct json_object *envelope = json_obj(outer, "envelope");
	const char *text = envelope ? json_text(envelope) : NULL, *id = json_str(outer, "id"), *host = json_str(outer, "host");
	int r;

	if (!text)
		return why(w, -EINVAL, "the hub gave no envelope");
	r = envelope_parse(text, strlen(text), &f.envelope, w);
	if (r < 0)
		return r;
	if (strcmp(f.envelope.type, "request") != 0)
		return why(w, -EINVAL, "the envelope holds a %s, not a request", f.envelope.type);
	r = document_parse(f.envelope.document, f.envelope.document_len, &f.document, w);
	if (r < 0)
		return r;
	f.id = json_str(f.document, "id");
	f.host = json_str(f.document, "host");
	if (!id || !host || strcmp(id, f.id) != 0 || strcmp(host, f.host) != 0)
		return why(w, -EINVAL, "the hub says %s on %s, the request itself says %s on %s", id ? id : "nothing",
			host ? host : "nothing", f.id, f.host);
	r = sha256_hex(f.envelope.document, f.envelope.document_len, f.digest);
	if (r < 0)
		return why(w, r, "cannot compute a digest");
	f.outer = json_object_get(outer);
	*ret = f;
	f = (struct fetched){0};
	return 0;
}
