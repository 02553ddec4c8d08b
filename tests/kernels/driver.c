/* A stand-in for NVIDIA's driver library: memory is memory, and a module is handed to a translator
   (WIGNERFLOW_PTX in, out) whose library then runs it. Everything else is refused. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OK 0
#define INVALID 1
#define NOT_FOUND 500
#define MISSING 0x7fffffff
typedef unsigned long long ptr;
typedef int (*Launch)(const uint32_t *, const uint32_t *, uint64_t *, int);
struct module { Launch launch; int words; char name[64]; };
static _Thread_local int current;
static int fail(const char *what) { fprintf(stderr, "driver: %s\n", what); return INVALID; }

int cuInit(unsigned flags) { return flags ? INVALID : OK; }
int cuDriverGetVersion(int *v) { *v = 12040; return OK; }
int cuDeviceGetCount(int *n) {
  const char *cards = getenv("WIGNERFLOW_CARDS");
  *n = cards ? atoi(cards) : 2;
  return OK;
}
int cuDeviceGet(int *d, int n) { *d = 100 + n; return n < 2 ? OK : INVALID; }
int cuDeviceGetName(char *to, int size, int d) { snprintf(to, size, "Stand-in"); return OK; }
int cuDeviceGetAttribute(int *v, int what, int d) {
  *v = what == 75 ? 9 : what == 76 ? 0 : what == 16 ? 4 : what == 39 ? 64 : what == 13 ? 1000 : -1;
  return *v < 0 ? INVALID : OK;
}
int cuDeviceGetUuid_v2(char *to, int d) { memset(to, d, 16); return OK; }
int cuDevicePrimaryCtxRetain(void **c, int d) { *c = (void *)(intptr_t)d; return OK; }
int cuCtxSetCurrent(void *c) { current = (int)(intptr_t)c; return OK; }
int cuMemGetInfo_v2(size_t *free, size_t *all) {
  *free = *all = (size_t)4 << 30;
  return current ? OK : fail("no context");
}
int cuMemAlloc_v2(ptr *p, size_t n) {
  if (!current) return fail("no context");
  *p = (ptr)(uintptr_t)malloc(n);
  memset((void *)(uintptr_t)*p, 0xA5, n);
  return OK;
}
int cuMemFree_v2(ptr p) { free((void *)(uintptr_t)p); return current ? OK : fail("no context"); }
int cuMemcpyHtoD_v2(ptr to, const void *from, size_t n) {
  memcpy((void *)(uintptr_t)to, from, n);
  return OK;
}
int cuMemcpyDtoH_v2(void *to, ptr from, size_t n) {
  memcpy(to, (void *)(uintptr_t)from, n);
  return OK;
}
int cuModuleLoadData(void **out, const void *text) {
  static int number;
  char in[512], so[512], command[2048];
  struct module *m = calloc(1, sizeof *m);
  const char *folder = getenv("WIGNERFLOW_STANDIN");
  const char *entry = strstr(text, ".entry ");
  if (!folder || !entry || !current) return fail("no module");
  sscanf(entry, ".entry %63[a-z]", m->name);
  for (const char *p = entry; (p = strstr(p, "\t.param ")) && p < strchr(entry, '{'); p++) m->words++;
  snprintf(in, sizeof in, "%s/%d-%d.ptx", folder, current, number);
  snprintf(so, sizeof so, "%s/%d-%d.so", folder, current, number++);
  FILE *file = fopen(in, "w");
  fputs(text, file), fclose(file);
  snprintf(command, sizeof command, "%s %s %s", getenv("WIGNERFLOW_PTX"), in, so);
  if (system(command)) return fail("no translation");
  void *library = dlopen(so, RTLD_NOW | RTLD_LOCAL);
  m->launch = library ? (Launch)dlsym(library, "launch") : 0;
  *out = m;
  return m->launch ? OK : fail(dlerror());
}
int cuModuleGetFunction(void **f, void *m, const char *name) {
  *f = m;
  return strcmp(((struct module *)m)->name, name) ? NOT_FOUND : OK;
}
int cuLaunchKernel(void *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                   unsigned bz, unsigned shared, void *stream, void **parameters, void **extra) {
  struct module *m = f;
  uint32_t grid[] = {gx, gy, gz}, block[] = {bx, by, bz};
  uint64_t words[256];
  if (!gx || !gy || !gz || shared || stream || extra || m->words > 256) return fail("a launch");
  for (int n = 0; n < m->words; n++) memcpy(words + n, parameters[n], 8);
  return m->launch(grid, block, words, 0) ? fail("a kernel") : OK;
}
int cuGetErrorName(int e, const char **s) { *s = "an error"; return OK; }
static int missing(void) { return MISSING; }
int cuGetProcAddress_v2(const char *name, void **f, int version, uint64_t flags, int *status) {
  char versioned[128];
  snprintf(versioned, sizeof versioned, "%s_v2", name);
  void *self = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
  void *found = dlsym(self, versioned);
  if (!found) found = dlsym(self, name);
  *f = found ? found : (void *)missing;
  if (status) *status = 0;
  return OK;
}
int cuGetProcAddress(const char *n, void **f, int v, uint64_t flags) {
  return cuGetProcAddress_v2(n, f, v, flags, 0);
}
