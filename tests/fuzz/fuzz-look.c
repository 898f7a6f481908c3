/* What the tools of packages print: a path, ended by a NUL, and the output.  A name stays in its bounds, a digest is one that
 * stands in the output, as the path does. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "helper/look.h"
#include "lib/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void stands(const char *text, const char *digest, const char *path)
{
	const char *at = *digest ? strstr(text, digest) : text;

	must(at && strspn(digest, "0123456789abcdef") == strlen(digest));
	must(strstr(text, path + 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEAN(free_p) char *buf = malloc(size + 2);
	char name[LOOK_NAME] = "", version[LOOK_NAME] = "", md5[MD5_HEX + 1] = "", digest[SHA256_HEX + 1] = "", origin[64] = "";
	enum look_owner owner;
	const char *path, *text;

	if (size > 0)
		memcpy(buf, data, size);
	buf[size] = buf[size + 1] = '\0';
	path = buf;
	text = buf + strlen(buf) + 1;
	if (path[0] != '/')
		return 0;
	owner = look_dpkg_owner(text, path, NULL, name, origin, sizeof(origin));
	must(strlen(name) < LOOK_NAME && strlen(origin) < sizeof(origin));
	must(owner == LOOK_OWNER_NONE || strstr(text, path));
	must(owner != LOOK_OWNER_DIVERTED || strstr(text, origin));
	owner = look_dpkg_owner(text, path, "dash", name, NULL, 0);
	must(owner != LOOK_OWNER_DIVERTED && (owner == LOOK_OWNER_NONE || strcmp(name, "dash") != 0));
	if (look_dpkg_digest(text, path, md5))
		stands(text, md5, path);
	must(!md5[0] || strlen(md5) == MD5_HEX);
	if (look_rpm_digest(text, path, name, version, digest))
		stands(text, digest, path);
	return 0;
}
