//! Routes by their names: also by `dynamic/NAME`, as Cloudflare's clients write it, and by the number of a version.

use std::collections::HashMap;

use gw_core::{Error, ErrorCode};
use gw_policy::plan::Node;

use super::{Models, RouteTarget, Target};

/// What stands before the name of a route in requests of Cloudflare's clients.
const DYNAMIC: &str = "dynamic";

/// The versions of routes that have several.
#[derive(Debug, Default)]
pub struct Versions {
    /// Those that are deployed: what they are called by their number, and the route.
    pub deployed: HashMap<Box<str>, Box<str>>,
    /// The others.
    pub drafts: HashMap<Box<str>, Draft>,
}

/// A version of a route that is not deployed.
#[derive(Debug)]
pub struct Draft {
    /// Where it leads.
    pub node: Node<RouteTarget>,
    /// Whether requests may ask for it.
    pub is_open: bool,
}

impl Models {
    /// The route of a name, if it is one's.
    pub(super) fn route(&self, name: &str) -> Option<&Node<RouteTarget>> {
        if let Some(route) = self.routes.get(name) {
            return Some(route);
        }
        let name = self.without_prefix(name);
        let open = || self.versions.drafts.get(name).filter(|draft| draft.is_open).map(|draft| &draft.node);
        let deployed = || self.routes.get(self.versions.deployed.get(name)?);
        self.routes.get(name).or_else(deployed).or_else(open)
    }

    /// Where a draft leads, for who only wants to know.
    pub(crate) fn draft(&self, name: &str, prefer: Option<&str>) -> Option<Result<Node<Target>, Error>> {
        let draft = self.versions.drafts.get(self.without_prefix(name))?;
        Some(self.ruled(name, Some(name), prefer, self.expanded(&draft.node, name, Some(name), prefer)))
    }

    /// Why a draft is not served; `None` for what is none.
    pub(super) fn refuse_draft(&self, name: &str) -> Option<Error> {
        self.versions.drafts.get(self.without_prefix(name))?;
        let message = "this version of the route is a draft, and drafts of the route take no requests; \
                       POST /gateway/plan shows what it would do";
        Some(Error::new(ErrorCode::ModelNotFound, message).with_param("model"))
    }

    /// A name without what Cloudflare's clients write before it; as it is, if that is the name of a provider.
    fn without_prefix<'n>(&self, name: &'n str) -> &'n str {
        match name.split_once('/') {
            Some((DYNAMIC, route)) if !self.by_name.contains_key(DYNAMIC) => route,
            _ => name,
        }
    }
}
