#include "base/module.h"
#include <dlfcn.h>
#include <stddef.h>

void *module_symbol(const char *file, const char *name, struct error *err)
{
	void *module = dlopen(file, RTLD_NOW | RTLD_LOCAL);
	void *symbol = module ? dlsym(module, name) : NULL;
	if (!symbol)
		err_set(err, ERR_UNAVAILABLE, "%s cannot be loaded: %s", file, dlerror());
	return symbol;
}
