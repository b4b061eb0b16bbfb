/* moad: one program, three ways to start it. */
#include "daemon/app.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/module.h"
#include "base/text.h"
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
	"Usage: moad [OPTION]… [api|node|teardown|check-config]\n"
	"\n"
	"The daemon of Moa. Without a word it runs and watches one api and one node process on this "
	"machine.\n"
	"\n"
	"  api            run the api process: HTTP(S) for customers, the admin socket for moactl; no root\n"
	"  node           run the node process: this host's machines and containers; root\n"
	"  teardown       take away what a stopped node leaves on the host: rules, bridge, the pool's mount; "
	"disks stay\n"
	"  check-config   read the settings and say what is wrong with them\n"
	"\n"
	"  -c, --config FILE   settings to use (" CONFIG_DEFAULT_PATH ")\n"
	"  -h, --help          show this help\n"
	"  -V, --version       show the version\n"
	"\n"
	"See moad(8), moad.conf(5).\n";

static const struct option options[] = {{"config", required_argument, NULL, 'c'},
	{"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'V'}, {NULL, 0, NULL, 0}};

enum { EXIT_USAGE = 2, ARENAS = 2 };

static enum log_level level_of(const char *name)
{
	if (text_equal(name, "debug"))
		return LOG_LEVEL_DEBUG;
	if (text_equal(name, "warning"))
		return LOG_LEVEL_WARNING;
	return text_equal(name, "error") ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO;
}

static int check_config(struct app *app)
{
	(void)app;
	puts("The settings are fine.");
	return EXIT_SUCCESS;
}

static int load_and_run(struct app *app, const char *function)
{
	struct error err;
	int (*run)(struct app *) = (int (*)(struct app *))module_symbol("moa-node.so", function, &err);
	if (run)
		return run(app);
	log_error("%s", err.message);
	return EXIT_FAILURE;
}

static int load_and_run_node(struct app *app)
{
	return load_and_run(app, "run_node");
}

static int load_and_run_teardown(struct app *app)
{
	return load_and_run(app, "run_teardown");
}

static const struct mode {
	const char *word, *part;
	int (*run)(struct app *app);
} modes[] = {{NULL, "moad", run_supervisor}, {"api", "moad-api", run_api},
	{"node", "moad-node", load_and_run_node}, {"teardown", "moad-node", load_and_run_teardown},
	{"check-config", "moad", check_config}};

static const struct mode *find_mode(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(modes); i++)
		if (text_equal(modes[i].word, word))
			return &modes[i];
	return NULL;
}

static int run_mode(const struct mode *mode, struct app *app)
{
	struct error err;
	owned(config_free) struct config *config = NULL;
	if (config_load(app->config_path, &config, &err) < 0) {
		fprintf(stderr, "moad: %s\n", err.message);
		return EXIT_USAGE;
	}
	app->config = config;
	log_open(level_of(config->moad_log_level), mode->part);
	signals_block();
	/* Few allocations and many waiting threads: an arena for each would cost more than the lock. */
	mallopt(M_ARENA_MAX, ARENAS);
	return mode->run(app);
}

int main(int argc, char **argv)
{
	struct app app = {0};
	for (int option; (option = getopt_long(argc, argv, "c:hV", options, NULL)) != -1;) {
		switch (option) {
		case 'c':
			app.config_path = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		case 'V':
			puts("moad " MOA_VERSION);
			return EXIT_SUCCESS;
		default:
			fputs("Try moad --help.\n", stderr);
			return EXIT_USAGE;
		}
	}
	const struct mode *mode = find_mode(optind < argc ? argv[optind] : NULL);
	if (!mode || optind + 1 < argc) {
		fprintf(stderr, "moad: unknown word \"%s\"\n%s", argv[optind], usage);
		return EXIT_USAGE;
	}
	return run_mode(mode, &app);
}
