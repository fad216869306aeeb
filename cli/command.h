/* SPDX-License-Identifier: BSD-3-Clause */
/* The subcommands. Each is called with argv[0] being "rill NAME", and returns the exit code. */
#ifndef RILL_CLI_COMMAND_H
#define RILL_CLI_COMMAND_H

int rill_cmd_caps(int argc, char **argv);
int rill_cmd_doctor(int argc, char **argv);
int rill_cmd_echo(int argc, char **argv);
int rill_cmd_fwd(int argc, char **argv);
int rill_cmd_get(int argc, char **argv);
int rill_cmd_http(int argc, char **argv);

#endif
