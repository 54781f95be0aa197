//! What the names in a text stand for. Nothing is reported here: that is the checker's.

use std::collections::BTreeMap;

use cellc_compiler::check::{functions, initializers};
use cellc_compiler::diagnostic::Span;
use cellc_compiler::syntax::ast::{
    Cell, Constant, Declaration, Dim, Expr, ExprKind, File, Function, Initializer, Item, Name,
    Parameter, TypeExpr, TypeKind,
};
use cellc_compiler::unit::Unit;

/// What a name stands for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Meaning<'u> {
    Cell(&'u Cell),
    Dim(&'u Dim),
    Declared(&'u Declaration, &'u Name),
    Hyper(&'u Constant),
    /// A value that a cell defines.
    Defined(&'u Name, &'u Expr),
    /// An output with a value of its own: it introduces no name.
    Output(&'u Name, &'u Expr),
    Constant(&'u Constant),
    Function(&'u Function),
    Parameter(&'u Function, &'u Parameter),
    /// A dimension in the type of a parameter, bound by the argument.
    Extent(&'u Function, &'u Expr),
    /// A value that a function defines.
    Local(&'u Function, &'u Name, &'u Expr),
    /// A function of the language.
    BuiltIn(&'static str),
    Initializer(&'static str),
}

impl Meaning<'_> {
    /// Where the name is introduced, unless it is one of the language.
    pub(super) fn introduced(self) -> Option<Span> {
        match self {
            Self::Cell(cell) => Some(cell.name.span),
            Self::Dim(dim) => Some(dim.name.span),
            Self::Hyper(constant) | Self::Constant(constant) => Some(constant.name.span),
            Self::Declared(_, name)
            | Self::Defined(name, _)
            | Self::Output(name, _)
            | Self::Local(_, name, _) => Some(name.span),
            Self::Function(function) => Some(function.name.span),
            Self::Parameter(_, parameter) => Some(parameter.name.span),
            Self::Extent(_, extent) => Some(extent.span),
            Self::BuiltIn(_) | Self::Initializer(_) => None,
        }
    }
}

/// A place where a name stands, and what for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mention<'u> {
    pub(super) span: Span,
    pub(super) meaning: Meaning<'u>,
}

/// The name at a byte of the first file of a unit, or just before it.
pub(super) fn at(unit: &Unit, byte: usize) -> Option<Mention<'_>> {
    let mentions = mentions(unit);
    mentions.into_iter().find(|mention| mention.span.start <= byte && byte <= mention.span.end)
}

/// What names stand for somewhere.
type Scope<'u> = BTreeMap<&'u str, Meaning<'u>>;

/// Every name in the first file of a unit that stands for something.
fn mentions(unit: &Unit) -> Vec<Mention<'_>> {
    let file = unit.root();
    let mut walk = Walk { globals: Scope::new(), mentions: Vec::new() };
    for (import, &target) in file.uses.iter().zip(&unit.targets[0]) {
        for name in &import.names {
            // Of an import that is not found, the file itself is the target.
            let found = (target != 0).then(|| imported(&unit.files[target], name)).flatten();
            if let Some(meaning) = found {
                walk.globals.entry(&name.text).or_insert(meaning);
                walk.mention(name.span, meaning);
            }
        }
    }
    for constant in &file.constants {
        walk.globals.entry(&constant.name.text).or_insert(Meaning::Constant(constant));
    }
    for function in &file.functions {
        walk.globals.entry(&function.name.text).or_insert(Meaning::Function(function));
    }
    for constant in &file.constants {
        walk.mention(constant.name.span, Meaning::Constant(constant));
        walk.expression(&constant.value, &Scope::new());
    }
    file.functions.iter().for_each(|function| walk.function(function));
    file.cell.iter().for_each(|cell| walk.cell(cell));
    walk.mentions
}

/// What a file has under a name for others.
fn imported<'u>(file: &'u File, name: &Name) -> Option<Meaning<'u>> {
    let function = file.functions.iter().find(|function| function.name.text == name.text);
    let constant = file.constants.iter().find(|constant| constant.name.text == name.text);
    function.map(Meaning::Function).or(constant.map(Meaning::Constant))
}

struct Walk<'u> {
    /// The functions and constants of the file, and those that it imports.
    globals: Scope<'u>,
    mentions: Vec<Mention<'u>>,
}

impl<'u> Walk<'u> {
    fn mention(&mut self, span: Span, meaning: Meaning<'u>) {
        self.mentions.push(Mention { span, meaning });
    }

    /// A name where a value is meant.
    fn name(&mut self, name: &str, span: Span, scope: &Scope<'u>) {
        if let Some(&meaning) = scope.get(name).or_else(|| self.globals.get(name)) {
            self.mention(span, meaning);
        }
    }

    fn expression(&mut self, expr: &'u Expr, scope: &Scope<'u>) {
        match &expr.kind {
            ExprKind::Name(name) => self.name(name, expr.span, scope),
            ExprKind::Next(state) => self.name(&state.text, state.span, scope),
            ExprKind::Call { function, .. } => {
                let built_in = functions().find(|name| *name == function.text);
                match built_in.map(Meaning::BuiltIn) {
                    Some(meaning) => self.mention(function.span, meaning),
                    None => self.name(&function.text, function.span, &Scope::new()),
                }
            }
            ExprKind::Number { .. }
            | ExprKind::Neg(_)
            | ExprKind::Binary { .. }
            | ExprKind::Index { .. }
            | ExprKind::Slice { .. }
            | ExprKind::Part { .. }
            | ExprKind::Shape(_)
            | ExprKind::Error => {}
        }
        for part in expr.parts() {
            self.expression(part, scope);
        }
    }

    fn function(&mut self, function: &'u Function) {
        let mut scope = Scope::new();
        for parameter in &function.parameters {
            scope.entry(&parameter.name.text).or_insert(Meaning::Parameter(function, parameter));
        }
        for extent in function.parameters.iter().flat_map(|p| p.pattern.as_ref()).flat_map(extents)
        {
            if let ExprKind::Name(name) = &extent.kind {
                scope.entry(name).or_insert(Meaning::Extent(function, extent));
            }
        }
        for (name, value) in &function.definitions {
            scope.entry(&name.text).or_insert(Meaning::Local(function, name, value));
        }
        self.mention(function.name.span, Meaning::Function(function));
        for parameter in &function.parameters {
            self.mention(parameter.name.span, Meaning::Parameter(function, parameter));
            let pattern = parameter.pattern.iter().flat_map(extents);
            pattern.for_each(|extent| self.expression(extent, &scope));
        }
        for (name, value) in &function.definitions {
            self.mention(name.span, Meaning::Local(function, name, value));
            self.expression(value, &scope);
        }
        self.expression(&function.result, &scope);
    }

    fn cell(&mut self, cell: &'u Cell) {
        let scope = scope_of(cell);
        self.mention(cell.name.span, Meaning::Cell(cell));
        for dim in &cell.dims {
            self.mention(dim.name.span, Meaning::Dim(dim));
            dim.default.iter().for_each(|default| self.expression(default, &scope));
        }
        for item in &cell.items {
            match item {
                Item::Declaration(declaration) => self.declaration(declaration, &scope),
                Item::Hyper(hyper) => {
                    self.mention(hyper.name.span, Meaning::Hyper(hyper));
                    self.expression(&hyper.value, &scope);
                }
                Item::Definition { name, value } => {
                    self.mention(name.span, Meaning::Defined(name, value));
                    self.expression(value, &scope);
                }
                Item::Next { state, value, .. } => {
                    self.name(&state.text, state.span, &scope);
                    self.expression(value, &scope);
                }
                Item::Output { name, value: Some(value) } => {
                    self.mention(name.span, Meaning::Output(name, value));
                    self.expression(value, &scope);
                }
                Item::Output { name, value: None } => self.name(&name.text, name.span, &scope),
            }
        }
    }

    fn declaration(&mut self, declaration: &'u Declaration, scope: &Scope<'u>) {
        for name in &declaration.names {
            self.mention(name.span, Meaning::Declared(declaration, name));
        }
        extents(&declaration.ty).iter().for_each(|extent| self.expression(extent, scope));
        match &declaration.initializer {
            Some(Initializer::Constant(value)) => self.expression(value, scope),
            Some(Initializer::Draw { name, arguments }) => {
                if let Some(known) = initializers().find(|known| *known == name.text) {
                    self.mention(name.span, Meaning::Initializer(known));
                }
                arguments.iter().for_each(|argument| self.expression(argument, scope));
            }
            None => {}
        }
    }
}

/// What the names of a cell stand for in it. The first of a name counts, as for the checker.
fn scope_of(cell: &Cell) -> Scope<'_> {
    let mut scope = Scope::new();
    for dim in &cell.dims {
        scope.entry(dim.name.text.as_str()).or_insert(Meaning::Dim(dim));
    }
    for item in &cell.items {
        match item {
            Item::Declaration(declaration) => {
                for name in &declaration.names {
                    scope.entry(&name.text).or_insert(Meaning::Declared(declaration, name));
                }
            }
            Item::Hyper(hyper) => {
                scope.entry(&hyper.name.text).or_insert(Meaning::Hyper(hyper));
            }
            Item::Definition { name, value } => {
                scope.entry(&name.text).or_insert(Meaning::Defined(name, value));
            }
            Item::Next { .. } | Item::Output { .. } => {}
        }
    }
    scope
}

/// The extents in a type, or the bound of an index.
fn extents(ty: &TypeExpr) -> &[Expr] {
    match &ty.kind {
        TypeKind::Real(extents) => extents,
        TypeKind::Index(bound) => std::slice::from_ref(bound),
    }
}
