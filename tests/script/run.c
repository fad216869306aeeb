/* SPDX-License-Identifier: BSD-3-Clause */
#include "run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "expect.h"
#include "inject.h"
#include "print.h"
#include "profile.h"

/* A line, taken apart as far as all have it in common. */
struct step {
	struct expect_time when;
	int64_t flow;
	char **words;
	unsigned count;
};

/* "+0.1", "+200ms", "+1s~50ms", "+*" */
static void parse_time(struct world *w, const char *word, struct expect_time *when)
{
	char text[64];
	char *tilde;
	uint64_t ns = 0;

	snprintf(text, sizeof(text), "%s", word + 1);
	if (strcmp(text, "*") == 0) {
		when->any = true;
		return;
	}
	tilde = strchr(text, '~');
	if (tilde) {
		*tilde = 0;
		if (!number_time(tilde + 1, &when->tolerance))
			world_fail(w, "not a time: %s", word);
	}
	if (!number_time(text, &ns))
		world_fail(w, "not a time: %s", word);
	when->at += ns;
}

static struct step take_apart(struct world *w, struct lang_words *words)
{
	struct step s = {.when = {.at = w->at, .tolerance = w->tolerance},
			 .flow = 1,
			 .words = words->v,
			 .count = words->count};

	if (s.count && s.words[0][0] == '+') {
		parse_time(w, s.words[0], &s.when);
		s.words++;
		s.count--;
	}
	if (s.count && s.words[0][0] == '@') {
		if (!number_whole(s.words[0] + 1, &s.flow))
			world_fail(w, "not a flow: %s", s.words[0]);
		s.words++;
		s.count--;
	}
	if (!s.count)
		world_fail(w, "nothing to do");
	return s;
}

static void parse_spec(struct world *w, const struct step *s, struct spec *spec)
{
	const char *wrong = spec_parse(spec, s->words + 1, s->count - 1);

	if (wrong)
		world_fail(w, "not a segment: %s", wrong);
}

/* Before anything that is not about packets sent, there must be none left. */
static void pass_time(struct world *w, const struct step *s)
{
	world_expect_quiet(w);
	world_advance_to_packet(w, s->when.at);
	world_expect_quiet(w);
	w->at = s->when.at > w->now ? s->when.at : w->now;
}

/* ---- what a line may begin with ---- */

static void run_inject(struct world *w, const struct step *s)
{
	const struct world_flow *f = world_flow(w, s->flow);
	struct spec spec;

	pass_time(w, s);
	if (s->count > 1 && strcmp(s->words[1], "icmp") == 0) {
		inject_icmp(w, f, s->words + 2, s->count - 2);
		return;
	}
	parse_spec(w, s, &spec);
	if (strcmp(s->words[0], "<<") == 0)
		inject_series(w, f, &spec);
	else
		inject_segment(w, f, &spec);
}

static void run_expect(struct world *w, const struct step *s)
{
	const struct world_flow *f = world_flow(w, s->flow);
	struct spec spec;
	int64_t type, code;

	if (s->count == 4 && strcmp(s->words[1], "icmp") == 0 && number_whole(s->words[2], &type) &&
	    number_whole(s->words[3], &code)) {
		expect_icmp(w, type, code, s->when);
		return;
	}
	parse_spec(w, s, &spec);
	if (strcmp(s->words[0], ">>") == 0)
		expect_series(w, f, &spec, s->when);
	else
		expect_segment(w, f, &spec, s->when);
}

/* quiet: up to here nothing was sent. */
static void run_quiet(struct world *w, const struct step *s)
{
	pass_time(w, s);
}

/* drain: whatever was sent up to here does not matter. What SYNs tell is learned all the same. */
static void run_drain(struct world *w, const struct step *s)
{
	struct packet p;

	world_advance(w, s->when.at);
	while (w->first) {
		if (!packet_parse(&p, w->first->bytes, w->first->len) && p.protocol == 6)
			world_flow_of(w, &p);
		world_drop_packet(w);
	}
	w->at = w->now;
}

static void run_profile(struct world *w, const struct step *s)
{
	profile_run(w, s->words, s->count);
}

/* memory off|on: whether the stack is given any. */
static void run_memory(struct world *w, const struct step *s)
{
	if (s->count != 2)
		world_fail(w, "memory off or memory on");
	w->no_memory = strcmp(s->words[1], "off") == 0;
}

static void run_tolerance(struct world *w, const struct step *s)
{
	if (s->count != 2 || !number_time(s->words[1], &w->tolerance))
		world_fail(w, "not a time");
}

static void set_flow(struct world *w, struct world_flow *f, const char *name, const char *value)
{
	int64_t number = 0;

	if (strcmp(name, "ip") == 0 && number_ip(value, &f->peer_ip))
		return;
	if (strcmp(name, "ours") == 0 && number_ip(value, &f->our_ip))
		return;
	if (!number_whole(value, &number))
		world_fail(w, "not a number: %s", value);
	if (strcmp(name, "port") == 0)
		f->peer_port = (uint16_t)number;
	else if (strcmp(name, "local") == 0)
		f->our_port = (uint16_t)number;
	else if (strcmp(name, "isn") == 0)
		f->peer_isn = (uint32_t)number;
	else
		world_fail(w, "flow has no %s", name);
}

/* "@2 flow [new] [isn N] [port N] [local N] [ip IP] [ours IP]": what the peer is and knows. */
static void run_flow(struct world *w, const struct step *s)
{
	struct world_flow *f = world_flow(w, s->flow);

	for (unsigned i = 1; i < s->count; i++) {
		if (strcmp(s->words[i], "new") == 0) {
			/* The next SYN of ours begins another incarnation. */
			f->isn_known = f->ts_known = false;
			continue;
		}
		if (i + 1 == s->count)
			world_fail(w, "a value is missing");
		set_flow(w, f, s->words[i], s->words[i + 1]);
		i++;
	}
}

/* fails "text": this case is about the harness, which must find the fault. */
static void run_fails(struct world *w, const struct step *s)
{
	if (s->count != 2 || strlen(s->words[1]) < 3)
		world_fail(w, "fails \"what is said then\"");
	snprintf(w->fails, sizeof(w->fails), "%.*s", (int)strlen(s->words[1]) - 2, s->words[1] + 1);
}

static const struct {
	const char *word;
	void (*run)(struct world *w, const struct step *s);
} verbs[] = {
	{"<", run_inject},	  {"<<", run_inject},	  {">", run_expect},
	{">>", run_expect},	  {"quiet", run_quiet},	  {"drain", run_drain},
	{"profile", run_profile}, {"memory", run_memory}, {"tolerance", run_tolerance},
	{"flow", run_flow},	  {"fails", run_fails},
};

static void run_line(struct world *w, const struct lang_line *line)
{
	struct lang_words words;
	struct step s;

	w->line = line;
	if (w->verbose)
		printf("# %.6f %s:%u: %s\n", (double)(w->now - w->start) / 1e9, line->file,
		       line->number, line->text);
	if (!lang_split(&words, line->text))
		world_fail(w, "cannot be cut into words");
	s = take_apart(w, &words);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
		if (strcmp(verbs[i].word, s.words[0]) == 0) {
			verbs[i].run(w, &s);
			return;
		}
	}
	pass_time(w, &s);
	if (!call_run(w, s.words, s.count))
		world_fail(w, "unknown: %s", s.words[0]);
}

/* The clock of a case is that of its own world, so cases cannot disturb one another. */
static struct world world;

static void run_lines(struct world *w, const struct lang_case *c)
{
	for (unsigned i = 0; i < c->lines.count; i++)
		run_line(w, &c->lines.line[i]);
	w->line = NULL;
	world_expect_quiet(w);
}

/* What else the stack sent: the first of these is often what was expected a line later. */
static void add_rest(struct world *w)
{
	char text[PRINT_PACKET_MAX];
	size_t used = strlen(w->message);

	for (struct world_packet *p = w->first; p && used < sizeof(w->message) - 1; p = p->next) {
		print_sent(w, p, text);
		used += (size_t)snprintf(w->message + used, sizeof(w->message) - used,
					 "\nsent:  %s", text);
	}
}

static void failed(struct world *w, struct run_result *r)
{
	r->ok = false;
	if (w->line) {
		r->file = w->line->file;
		r->line = w->line->number;
		snprintf(r->text, sizeof(r->text), "%s", w->line->text);
	}
	add_rest(w);
	snprintf(r->message, sizeof(r->message), "%s", w->message);
}

/* Apart, so that nothing that longjmp() could spoil lives in its caller. */
static bool run_to_the_end(struct world *w, const struct lang_case *c, const char **ret_wrong)
{
	if (setjmp(w->failed))
		return false;
	run_lines(w, c);
	*ret_wrong = world_end(w);
	return true;
}

void run_case(const struct lang_case *c, bool verbose, struct run_result *ret_result)
{
	struct run_result *r = ret_result;
	const char *wrong = NULL;

	*r = (struct run_result){.ok = true};
	world_init(&world);
	world.verbose = verbose;
	if (!run_to_the_end(&world, c, &wrong))
		failed(&world, r);
	if (wrong) {
		r->ok = false;
		snprintf(r->message, sizeof(r->message), "%s", wrong);
	}
	r->trace = world.trace;
	if (*world.fails)
		r->ok = !r->ok && strstr(r->message, world.fails);
	world_fini(&world);
}
