"""Classic interfaces: for programs that were written for what came before."""
