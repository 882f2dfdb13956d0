/* A plugin for qemu-user: counts the instructions that a program executes, and those of them that are vector FMAs.
 *
 * Prints "instructions N fmas N" at the end. The few declarations are here because distributions do not package qemu-plugin.h;
 * API is what this qemu takes: 1 up to version 8, 2 from 9 on. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum flags { NO_REGISTERS };

extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, void (*)(unsigned, void *), enum flags, void *);
extern void qemu_plugin_register_atexit_cb(plugin_id, void (*)(plugin_id, void *), void *);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
extern char *qemu_plugin_insn_disas(const struct qemu_plugin_insn *);
extern void qemu_plugin_outs(const char *);

#define EXPORT __attribute__((visibility("default")))
EXPORT int qemu_plugin_version = API;

/* What one execution of a translated block adds. Lives as long as the program. */
struct block {
    uint64_t instructions, fmas;
};
static struct block total;

static void executed(unsigned cpu, void *data)
{
    const struct block *block = data;
    (void)cpu;
    total.instructions += block->instructions;
    total.fmas += block->fmas;
}

static void translated(plugin_id id, struct qemu_plugin_tb *tb)
{
    struct block *block = calloc(1, sizeof *block);
    (void)id;
    if (block == NULL) abort();
    block->instructions = qemu_plugin_tb_n_insns(tb);
    for (size_t i = 0; i < block->instructions; i++) {
        char *text = qemu_plugin_insn_disas(qemu_plugin_tb_get_insn(tb, i));
        block->fmas += text != NULL && strncmp(text, "fmla", 4) == 0;
        free(text);
    }
    qemu_plugin_register_vcpu_tb_exec_cb(tb, executed, NO_REGISTERS, block);
}

static void finished(plugin_id id, void *data)
{
    char line[80];
    (void)id, (void)data;
    snprintf(line, sizeof line, "instructions %llu fmas %llu\n", (unsigned long long)total.instructions,
             (unsigned long long)total.fmas);
    qemu_plugin_outs(line);
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
    (void)info, (void)argc, (void)argv;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, finished, NULL);
    return 0;
}
