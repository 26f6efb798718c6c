"""From a YAML file to frozen settings, with every mistake told at once and where it stands.

yaml12     YAML 1.2 core schema -> plain data and the line and column of everything
schema     the shape: what one value may be; `places`, `route`, `operation`, `trust`, `values`:
           its parts
mistakes   collects mistakes; says in plain words what pydantic found
address    binds and endpoints: text -> frozen value, or ValueError
files      what need not be there: bytes, or None
grammar    paths, patterns, networks, JSONPath, header names: accepted, or ValueError
references single values and names, judged beside mistakes of shape
check      what values may be together; `check_trust`: of trust; `tunnels`: on tcp listeners;
           `check_zones`: between zones; `check_masks`, `detection`: of content
lint       what is allowed and probably not meant; `lint_grants`, `lint_shadows`, `lint_content`,
           `lint_weak`, `lint_zones`, `lint_in_shadow`: parts of it; `codes`: what each is called;
           `allowances`: comments by which a file says that one is meant
load       all of it: path -> Loaded
secrets    reads what `file:` and `env:` refer to
editor     the JSON Schema that editors use, config/schema.json
"""
